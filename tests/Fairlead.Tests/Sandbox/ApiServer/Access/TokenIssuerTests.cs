using System.Buffers.Text;
using System.Text;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.ApiServer.Access;
using Fairlead.Sandbox.ApiServer.Kinds;
using Fairlead.Sandbox.ApiServer.Storage;

namespace Fairlead.Tests.Sandbox.ApiServer.Access;

public sealed class TokenIssuerTests : IDisposable
{
    private const string Account = """{"metadata":{"name":"bot","namespace":"default"}}""";

    private readonly ManualTime time = new();
    private readonly ObjectStore store;
    private readonly TokenIssuer issuer;
    private readonly JsonObject account;
    private readonly JsonObject pod;

    public TokenIssuerTests()
    {
        store = new ObjectStore(time);
        issuer = new TokenIssuer(store, time);
        account = store.Create(BuiltInKinds.ServiceAccounts, Objects.Json(Account));
        pod = store.Create(BuiltInKinds.Pods, Objects.Pod("p"));
    }

    [Fact]
    public void Token_of_a_pod_names_account_groups_and_pod()
    {
        var user = Verify(Issue(pod))!;

        user.Name.ShouldBe("system:serviceaccount:default:bot");
        user.Groups.ShouldBe(["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]);
        user.Extra["authentication.kubernetes.io/pod-name"].ShouldBe("p");
    }

    [Fact]
    public void Token_ends_when_it_expires()
    {
        var token = Issue(null);
        time.Advance(TimeSpan.FromMinutes(59));
        Verify(token).ShouldNotBeNull();

        time.Advance(TimeSpan.FromMinutes(1));

        Verify(token).ShouldBeNull();
    }

    [Fact]
    public void Token_ends_with_its_pod()
    {
        var token = Issue(pod);

        store.Delete(BuiltInKinds.Pods, "default", "p");

        Verify(token).ShouldBeNull();
    }

    [Fact]
    public void Token_of_an_account_made_anew_is_not_its_predecessors()
    {
        var token = Issue(null);

        store.Delete(BuiltInKinds.ServiceAccounts, "default", "bot");
        store.Create(BuiltInKinds.ServiceAccounts, Objects.Json(Account));

        Verify(token).ShouldBeNull();
    }

    [Fact]
    public void Token_for_others_is_not_for_the_server()
    {
        var (token, _) = issuer.Issue(account, null, ["vault"], TimeSpan.FromHours(1));

        Verify(token).ShouldBeNull();
        issuer.Verify(token, ["other", "vault"])!.Value.Audiences.ShouldBe(["vault"]);
    }

    [Fact]
    public void Token_of_another_cluster_is_not_good()
    {
        using var other = new TokenIssuer(store, time);

        Verify(other.Issue(account, null, [], TimeSpan.FromHours(1)).Token).ShouldBeNull();
    }

    [Theory]
    [InlineData("")]
    [InlineData("a.b")]
    [InlineData("a.b.c")]
    [InlineData("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30.")]
    [InlineData("eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.!.!")]
    [InlineData("eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.e30.e30")]
    public void Token_that_is_none_is_not_good(string token) => Verify(token).ShouldBeNull();

    [Fact]
    public void Token_that_was_changed_is_not_good()
    {
        var parts = Issue(null).Split('.');
        var claims = JsonNode.Parse(Base64Url.DecodeFromChars(parts[1]))!.AsObject();
        claims["exp"] = long.MaxValue;
        var forged = Base64Url.EncodeToString(Encoding.UTF8.GetBytes(claims.ToJsonString()));

        Verify($"{parts[0]}.{forged}.{parts[2]}").ShouldBeNull();
    }

    public void Dispose() => issuer.Dispose();

    private string Issue(JsonObject? bound) => issuer.Issue(account, bound, [], TimeSpan.FromHours(1)).Token;

    private User? Verify(string token) => issuer.Verify(token, [])?.User;
}
