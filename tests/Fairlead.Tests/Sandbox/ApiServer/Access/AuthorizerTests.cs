using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.ApiServer.Access;
using Fairlead.Sandbox.ApiServer.Kinds;
using Fairlead.Sandbox.ApiServer.Storage;

namespace Fairlead.Tests.Sandbox.ApiServer.Access;

public sealed class AuthorizerTests
{
    private static readonly User Alice = new("alice", ["devs", User.AuthenticatedGroup]);

    private readonly ObjectStore store = new();
    private readonly Authorizer authorizer;

    public AuthorizerTests() => authorizer = new Authorizer(store);

    [Fact]
    public void Nothing_is_allowed_by_default() => authorizer.Allows(Alice, Get("pods", "shop")).ShouldBeFalse();

    [Fact]
    public void Masters_may_do_everything() =>
        authorizer.Allows(new User("root", [User.MastersGroup]), new AccessRequest("delete") { Path = "/anything" }).ShouldBeTrue();

    [Fact]
    public void Role_holds_in_its_namespace_alone()
    {
        Create(BuiltInKinds.Roles, """{"metadata":{"name":"r","namespace":"shop"},"rules":[{"apiGroups":[""],"resources":["pods"],"verbs":["get","list"]}]}""");
        Bind(BuiltInKinds.RoleBindings, "shop", "Role", "r", """{"kind":"User","name":"alice"}""");

        authorizer.Allows(Alice, Get("pods", "shop")).ShouldBeTrue();
        authorizer.Allows(Alice, Get("pods", "other")).ShouldBeFalse();
        authorizer.Allows(Alice, Get("pods", null)).ShouldBeFalse();
        authorizer.Allows(Alice, Get("secrets", "shop")).ShouldBeFalse();
        authorizer.Allows(Alice, Get("pods", "shop") with { Group = "apps" }).ShouldBeFalse();
        authorizer.Allows(Alice, Get("pods", "shop") with { Subresource = "log" }).ShouldBeFalse();
    }

    [Fact]
    public void Cluster_role_bound_in_a_namespace_holds_there_alone()
    {
        ClusterRole("""{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}""");
        Bind(BuiltInKinds.RoleBindings, "shop", "ClusterRole", "r", """{"kind":"Group","name":"devs"}""");

        authorizer.Allows(Alice, Get("pods", "shop") with { Subresource = "exec" }).ShouldBeTrue();
        authorizer.Allows(Alice, Get("pods", "other")).ShouldBeFalse();
    }

    [Theory]
    [InlineData("""{"kind":"Group","name":"system:serviceaccounts:shop"}""", true)]
    [InlineData("""{"kind":"ServiceAccount","name":"bot","namespace":"shop"}""", true)]
    [InlineData("""{"kind":"ServiceAccount","name":"bot","namespace":"other"}""", false)]
    [InlineData("""{"kind":"User","name":"system:serviceaccount:shop:bot"}""", true)]
    [InlineData("""{"kind":"User","name":"bot"}""", false)]
    public void Subject_names_a_service_account(string subject, bool expected)
    {
        ClusterRole("""{"apiGroups":[""],"resources":["pods"],"verbs":["get"]}""");
        Bind(BuiltInKinds.ClusterRoleBindings, null, "ClusterRole", "r", subject);

        authorizer.Allows(User.ServiceAccount("shop", "bot"), Get("pods", null)).ShouldBe(expected);
    }

    [Theory]
    [InlineData("""{"apiGroups":[""],"resources":["pods"],"resourceNames":["a"],"verbs":["get"]}""", true)]
    [InlineData("""{"apiGroups":[""],"resources":["pods"],"resourceNames":["b"],"verbs":["get"]}""", false)]
    [InlineData("""{"apiGroups":[""],"resources":["*"],"verbs":["get"]}""", true)]
    [InlineData("""{"apiGroups":[""],"resources":["pods"],"verbs":["*"]}""", true)]
    [InlineData("""{"apiGroups":[""],"resources":["pods/log"],"verbs":["get"]}""", false)]
    [InlineData("""{"apiGroups":[""],"resources":["*/log"],"verbs":["get"]}""", false)]
    [InlineData("""{"nonResourceURLs":["*"],"verbs":["get"]}""", false)]
    public void Rule_covers_a_named_pod(string rule, bool expected)
    {
        ClusterRole(rule);
        Bind(BuiltInKinds.ClusterRoleBindings, null, "ClusterRole", "r", """{"kind":"User","name":"alice"}""");

        authorizer.Allows(Alice, Get("pods", "shop") with { Name = "a" }).ShouldBe(expected);
    }

    [Theory]
    [InlineData("/metrics", true)]
    [InlineData("/api/v1", true)]
    [InlineData("/apis", false)]
    public void Rule_covers_paths(string path, bool expected)
    {
        ClusterRole("""{"nonResourceURLs":["/metrics","/api/*"],"verbs":["get"]}""");
        Bind(BuiltInKinds.ClusterRoleBindings, null, "ClusterRole", "r", """{"kind":"User","name":"alice"}""");

        authorizer.Allows(Alice, new AccessRequest("get") { Path = path }).ShouldBe(expected);
    }

    [Fact]
    public void Binding_to_a_role_that_is_not_there_allows_nothing()
    {
        Bind(BuiltInKinds.ClusterRoleBindings, null, "ClusterRole", "gone", """{"kind":"User","name":"alice"}""");

        authorizer.Allows(Alice, Get("pods", "shop")).ShouldBeFalse();
    }

    private static AccessRequest Get(string resource, string? @namespace) => new("get") { Resource = resource, Namespace = @namespace };

    private void ClusterRole(string rule) => Create(BuiltInKinds.ClusterRoles, $$"""{"metadata":{"name":"r"},"rules":[{{rule}}]}""");

    private void Bind(ResourceId resource, string? @namespace, string kind, string role, string subject)
    {
        var binding = new JsonObject
        {
            ["metadata"] = new JsonObject { ["name"] = "b", ["namespace"] = @namespace },
            ["roleRef"] = new JsonObject { ["kind"] = kind, ["name"] = role },
            ["subjects"] = new JsonArray(Objects.Json(subject)),
        };
        store.Create(resource, binding);
    }

    private void Create(ResourceId resource, string json) => store.Create(resource, Objects.Json(json));
}
