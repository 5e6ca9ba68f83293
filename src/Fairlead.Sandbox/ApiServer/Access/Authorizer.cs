using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Kinds;

namespace Fairlead.Sandbox.ApiServer.Access;

/// <summary>Role-based access control (https://kubernetes.io/docs/reference/access-authn-authz/rbac/): what some binding allows, nothing else.</summary>
internal sealed class Authorizer(IObjectStore store)
{
    public bool Allows(User user, AccessRequest request) =>
        user.Groups.Contains(User.MastersGroup) || RulesFor(user, request.Namespace).Any(rule => Covers(rule, request));

    /// <summary>Every rule that holds for a user, in a namespace and beyond.</summary>
    public IEnumerable<JsonObject> RulesFor(User user, string? @namespace)
    {
        var bindings = store.List(BuiltInKinds.ClusterRoleBindings).Items.AsEnumerable();
        if (@namespace is not null)
        {
            bindings = bindings.Concat(store.List(BuiltInKinds.RoleBindings, @namespace).Items);
        }

        return bindings.Where(binding => binding.Maps("subjects").Any(subject => IsSubject(user, subject, binding.Namespace()))).SelectMany(RulesOf);
    }

    private IEnumerable<JsonObject> RulesOf(JsonObject binding)
    {
        var name = binding.Text("roleRef", "name") ?? "";
        var role = binding.Text("roleRef", "kind") switch
        {
            "ClusterRole" => store.Get(BuiltInKinds.ClusterRoles, null, name),
            "Role" => store.Get(BuiltInKinds.Roles, binding.Namespace(), name),
            _ => null,
        };
        return role.Maps("rules");
    }

    private static bool IsSubject(User user, JsonObject subject, string? @namespace)
    {
        var name = subject.Text("name") ?? "";
        return subject.Text("kind") switch
        {
            "User" => user.Name == name,
            "Group" => user.Groups.Contains(name),
            "ServiceAccount" => user.Name == $"system:serviceaccount:{subject.Text("namespace") ?? @namespace}:{name}",
            _ => false,
        };
    }

    private static bool Covers(JsonObject rule, AccessRequest request)
    {
        if (!Has(rule, "verbs", request.Verb))
        {
            return false;
        }

        if (request.Path is { } path)
        {
            return rule.Texts("nonResourceURLs").Any(pattern => pattern == path || (pattern.EndsWith('*') && path.StartsWith(pattern[..^1])));
        }

        return Has(rule, "apiGroups", request.Group) && CoversResource(rule, request) && CoversName(rule, request.Name);
    }

    private static bool CoversResource(JsonObject rule, AccessRequest request) =>
        rule.Texts("resources").Any(resource => resource == "*" || resource == request.ResourceAndSubresource
            || (request.Subresource.Length > 0 && resource == $"*/{request.Subresource}"));

    private static bool CoversName(JsonObject rule, string name)
    {
        var names = rule.Texts("resourceNames").ToArray();
        return names.Length == 0 || names.Contains(name);
    }

    private static bool Has(JsonObject rule, string list, string value) => rule.Texts(list).Any(item => item == "*" || item == value);
}
