using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Kinds;

namespace Fairlead.Sandbox.ApiServer.Access;

/// <summary>The roles and bindings that every cluster starts with (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings).</summary>
internal static class BootstrapPolicy
{
    private const string Group = "rbac.authorization.k8s.io";
    private static readonly string[] Read = ["get", "list", "watch"];
    private static readonly string[] Write = ["create", "delete", "deletecollection", "patch", "update"];

    private static readonly string[] CoreRead =
        ["configmaps", "events", "persistentvolumeclaims", "pods", "pods/log", "pods/status", "serviceaccounts", "services", "services/status"];

    private static readonly string[] CoreWrite =
    [
        "configmaps", "events", "persistentvolumeclaims", "pods", "pods/attach", "pods/eviction", "pods/exec", "pods/portforward", "secrets",
        "serviceaccounts", "services",
    ];

    private static readonly string[] AppsRead =
    [
        "deployments", "deployments/scale", "deployments/status", "replicasets", "replicasets/scale", "replicasets/status", "statefulsets",
        "statefulsets/scale", "statefulsets/status",
    ];

    private static readonly string[] AppsWrite =
        ["deployments", "deployments/scale", "replicasets", "replicasets/scale", "statefulsets", "statefulsets/scale"];

    private static readonly JsonObject[] ViewRules =
    [
        Rule([""], CoreRead, Read),
        Rule([""], ["namespaces"], Read),
        Rule(["apps"], AppsRead, Read),
        Rule(["discovery.k8s.io"], ["endpointslices"], Read),
        Rule(["policy"], ["poddisruptionbudgets", "poddisruptionbudgets/status"], Read),
    ];

    private static readonly JsonObject[] EditRules =
    [
        .. ViewRules,
        Rule([""], ["secrets", "pods/exec", "pods/attach", "pods/portforward"], Read),
        Rule([""], CoreWrite, Write),
        Rule([""], ["serviceaccounts"], ["impersonate"]),
        Rule([""], ["serviceaccounts/token"], ["create"]),
        Rule(["apps"], AppsWrite, Write),
        Rule(["policy"], ["poddisruptionbudgets"], Write),
        Rule(["coordination.k8s.io"], ["leases"], [.. Read, .. Write]),
    ];

    /// <summary>Creates what isn't there; what is stays as somebody may have changed it.</summary>
    public static void Establish(IObjectStore store)
    {
        Role(store, "cluster-admin", Rule(["*"], ["*"], ["*"]), Paths(["*"], ["*"]));
        Role(store, "view", ViewRules);
        Role(store, "edit", EditRules);
        Role(
            store,
            "admin",
            [.. EditRules, Rule([Group], ["roles", "rolebindings"], [.. Read, .. Write]), Rule(["authorization.k8s.io"], ["localsubjectaccessreviews"], ["create"])]);
        Role(store, "system:auth-delegator", Rule(["authentication.k8s.io"], ["tokenreviews"], ["create"]), Rule(["authorization.k8s.io"], ["subjectaccessreviews"], ["create"]));
        Role(store, "system:discovery", Paths(["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/"], ["get"]));
        Role(store, "system:public-info-viewer", Paths(["/healthz", "/livez", "/readyz", "/version", "/version/"], ["get"]));
        Role(
            store,
            "system:basic-user",
            Rule(["authorization.k8s.io"], ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], ["create"]),
            Rule(["authentication.k8s.io"], ["selfsubjectreviews"], ["create"]));
        Bind(store, "cluster-admin", User.MastersGroup);
        Bind(store, "system:discovery", User.AuthenticatedGroup);
        Bind(store, "system:basic-user", User.AuthenticatedGroup);
        Bind(store, "system:public-info-viewer", User.AuthenticatedGroup, "system:unauthenticated");
    }

    private static void Role(IObjectStore store, string name, params JsonObject[] rules)
    {
        var role = Object("ClusterRole", name);
        role["rules"] = new JsonArray([.. rules.Select(rule => rule.DeepClone())]);
        Ensure(store, BuiltInKinds.ClusterRoles, role);
    }

    private static void Bind(IObjectStore store, string role, params string[] groups)
    {
        var binding = Object("ClusterRoleBinding", role);
        binding["roleRef"] = new JsonObject { ["apiGroup"] = Group, ["kind"] = "ClusterRole", ["name"] = role };
        binding["subjects"] = new JsonArray(
            [.. groups.Select(group => new JsonObject { ["apiGroup"] = Group, ["kind"] = "Group", ["name"] = group })]);
        Ensure(store, BuiltInKinds.ClusterRoleBindings, binding);
    }

    private static void Ensure(IObjectStore store, ResourceId resource, JsonObject value)
    {
        if (store.Get(resource, null, value.Name()) is null)
        {
            store.Create(resource, value);
        }
    }

    private static JsonObject Object(string kind, string name) => new()
    {
        ["apiVersion"] = $"{Group}/v1",
        ["kind"] = kind,
        ["metadata"] = new JsonObject
        {
            ["name"] = name,
            ["labels"] = new JsonObject { ["kubernetes.io/bootstrapping"] = "rbac-defaults" },
        },
    };

    private static JsonObject Rule(string[] groups, string[] resources, string[] verbs) =>
        new() { ["apiGroups"] = Texts(groups), ["resources"] = Texts(resources), ["verbs"] = Texts(verbs) };

    private static JsonObject Paths(string[] paths, string[] verbs) => new() { ["nonResourceURLs"] = Texts(paths), ["verbs"] = Texts(verbs) };

    private static JsonArray Texts(string[] items) => new([.. items.Select(item => JsonValue.Create(item))]);
}
