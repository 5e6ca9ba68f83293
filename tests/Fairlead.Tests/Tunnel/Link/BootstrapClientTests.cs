using System.Net;
using Fairlead.Contracts.Errors;
using Fairlead.Tunnel.Link;

namespace Fairlead.Tests.Tunnel.Link;

public sealed class BootstrapClientTests
{
    [Fact]
    public async Task Client_of_a_token_reaches_the_gateway_with_that_ca_and_shows_no_certificate()
    {
        await using var gateway = await TestGateway.StartAsync();
        using var client = BootstrapClient.Create(gateway.Token);
        (await client.GetStringAsync("/who", Soon)).ShouldBe("nobody");
    }

    [Fact]
    public async Task Client_goes_by_websocket_where_only_the_apis_port_is_exposed()
    {
        await using var gateway = await TestGateway.StartAsync();
        using var client = BootstrapClient.Create(gateway.Token with { Endpoints = [gateway.Endpoint with { DataPort = 0 }] });
        (await client.GetStringAsync("/who", Soon)).ShouldBe("nobody");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Client_for_a_renewal_shows_the_certificate_though_it_has_expired(bool direct)
    {
        var space = new TestSpace();
        space.Client = space.IssueClient("bob", TimeProvider.System.GetUtcNow().AddDays(-8));
        await using var gateway = await TestGateway.StartAsync(space);
        using var client = BootstrapClient.CreateForRenewal([new("127.0.0.1", 1, 0), direct ? gateway.Endpoint : gateway.Endpoint with { DataPort = 0 }], space.Tls);
        (await client.GetStringAsync("/who", Soon)).ShouldStartWith("CN=invite:bob");
    }

    [Fact]
    public async Task Client_skips_an_endpoint_where_nobody_listens()
    {
        await using var gateway = await TestGateway.StartAsync();
        using var client = BootstrapClient.Create(gateway.Token with { Endpoints = [new("127.0.0.1", 1, 0), gateway.Endpoint] });
        (await client.GetStringAsync("/who", Soon)).ShouldBe("nobody");
    }

    [Fact]
    public async Task Client_refuses_a_gateway_whose_ca_has_another_fingerprint()
    {
        await using var gateway = await TestGateway.StartAsync();
        using var client = BootstrapClient.Create(gateway.Token with { AuthoritySha256 = new string('0', 64) });
        var error = await FailureAsync(client);
        error.Code.ShouldBe("gateway-unknown");
        error.Why.ShouldBe("its CA does not have the fingerprint of the token");
    }

    [Fact]
    public async Task Client_refuses_a_server_of_the_right_ca_with_the_name_of_another_space()
    {
        await using var gateway = await TestGateway.StartAsync(new TestSpace(serverName: "gateway.other.fairlead.internal"));
        using var client = BootstrapClient.Create(gateway.Token);
        (await FailureAsync(client)).Code.ShouldBe("gateway-unknown");
    }

    [Theory]
    [InlineData(+2)]
    [InlineData(-3)]
    public async Task Client_names_the_clock_when_the_certificate_is_of_another_day(int days)
    {
        await using var gateway = await TestGateway.StartAsync(new TestSpace(serverNotBefore: DateTimeOffset.UtcNow.AddDays(days)));
        using var client = BootstrapClient.Create(gateway.Token);
        (await FailureAsync(client)).Code.ShouldBe("clock-skew");
    }

    [Fact]
    public async Task Client_says_when_nothing_listens()
    {
        await using var gateway = await TestGateway.StartAsync();
        using var client = BootstrapClient.Create(gateway.Token with { Endpoints = [new("127.0.0.1", 1, 0)] });
        var error = await FailureAsync(client);
        error.Code.ShouldBe("gateway-refused");
        error.Message.ShouldBe("Nothing listens at 127.0.0.1:1");
    }

    [Fact]
    public async Task Client_says_when_what_answers_is_no_gateway()
    {
        await using var gateway = await TestGateway.StartAsync();
        using var client = BootstrapClient.Create(gateway.Token with { Endpoints = [new("127.0.0.1", gateway.Direct.EndPoint.Port, 0)] });
        (await FailureAsync(client)).Code.ShouldBe("gateway-lost");
    }

    [Fact]
    public async Task Client_goes_through_the_proxy_of_the_environment()
    {
        await using var gateway = await TestGateway.StartAsync();
        await using var proxy = new ConnectProxy("user", "pass word");
        using var client = BootstrapClient.Create(
            gateway.Token, new WebProxy($"http://127.0.0.1:{proxy.Port}") { Credentials = new NetworkCredential("user", "pass word") }, TimeProvider.System);
        (await client.GetStringAsync("/who", Soon)).ShouldBe("nobody");
        proxy.Targets.ShouldContain($"127.0.0.1:{gateway.ApiPort}");
    }

    [Fact]
    public async Task Client_says_when_the_proxy_wants_a_password()
    {
        await using var gateway = await TestGateway.StartAsync();
        await using var proxy = new ConnectProxy("user", "secret");
        using var client = BootstrapClient.Create(gateway.Token, new WebProxy($"http://127.0.0.1:{proxy.Port}"), TimeProvider.System);
        var error = await FailureAsync(client);
        error.Code.ShouldBe("proxy-refused");
        error.Why.ShouldBe("it wants a user name and password (407)");
    }

    [Fact]
    public async Task Client_leaves_the_proxy_out_where_no_proxy_says_so()
    {
        await using var gateway = await TestGateway.StartAsync();
        using var client = BootstrapClient.Create(gateway.Token, new WebProxy("http://127.0.0.1:1") { BypassList = ["127\\.0\\.0\\.1"] }, TimeProvider.System);
        (await client.GetStringAsync("/who", Soon)).ShouldBe("nobody");
    }

    private static async Task<ErrorInfo> FailureAsync(HttpClient client) =>
        (await Should.ThrowAsync<HttpRequestException>(() => client.GetStringAsync("/who", Soon))).InnerException.ShouldBeOfType<FairleadException>().Error;
}
