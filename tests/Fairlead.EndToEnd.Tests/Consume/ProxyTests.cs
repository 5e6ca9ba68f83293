using System.Diagnostics;
using System.Text;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.EndToEnd.Tests.Identity;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Consume;

/// <summary>Laptops whose only way out is an HTTP proxy.</summary>
public sealed class ProxyTests(SharedCluster cluster) : ClusterTest(cluster)
{
    private const int ProxyPort = 3128;
    private const string Password = "open-sesame";
    private static readonly string Credentials = "Basic " + Convert.ToBase64String(Encoding.ASCII.GetBytes("ali:" + Password));

    [Theory]
    [InlineData("-", "direct")]
    [InlineData("30443", "websocket")]
    public async Task Everything_goes_through_a_proxy_with_a_password(string onlyPort, string carrier)
    {
        var laptop = await NewLaptopBehindProxyAsync($"ali:{Password}@");
        using var proxy = await StartProxyAsync(laptop, "connect", Credentials, onlyPort);
        try
        {
            await laptop.StartAsync();
            await Cluster.JoinAsync(laptop, "shop");
            await laptop.ConsumeAsync("shop/*");
            (await laptop.SpaceAsync()).GetProperty("carrier").GetString().ShouldBe(carrier);
            (await laptop.CurlAsync("http://frontend.shop/healthz")).Text.ShouldBe("ok");
            (await laptop.Host.ShellAsync("exec 3<>/dev/tcp/echo.shop/7; echo hello >&3; timeout 10 head -n 1 <&3")).Text.ShouldBe("hello");
            (await laptop.QuoteAsync()).ShouldEndWith(".");
            (await laptop.FairleadAsync("logs")).Text.ShouldNotContain(Password);
        }
        finally
        {
            proxy.Kill(entireProcessTree: true);
        }
    }

    [Fact]
    public async Task Proxy_that_does_not_let_us_through_is_named_with_its_reason()
    {
        var laptop = await NewLaptopBehindProxyAsync($"ali:wrong-{Password}@");
        await laptop.StartAsync();
        var token = await Cluster.InviteAsync($"user{laptop.Number}", "shop");
        (string? Behaviour, string Reason)[] cases =
        [
            ("connect", "it wants a user name and password (407)"),
            (@"HTTP/1.1 403 Not from here\r\n\r\n", "403 Not from here"),
            (@"SSH-2.0-OpenSSH_9.2\r\n\r\n", "its answer is not HTTP"),
            ("", "it closed the connection without an answer"),
            (null, "it can't be reached"),
        ];
        foreach (var (behaviour, reason) in cases)
        {
            using var proxy = behaviour is null ? null : await StartProxyAsync(laptop, behaviour, Credentials, "-");
            var refused = await laptop.FairleadAsync("join", token);
            refused.ShouldFail(3);
            refused.Error.ShouldContain($"The proxy {ProxyAddress(laptop)}:{ProxyPort} does not let us through");
            refused.Error.ShouldContain(reason);
            refused.Error.ShouldContain("HTTPS_PROXY");
            refused.Error.ShouldNotContain(Password);
            if (proxy is not null)
            {
                proxy.Kill(entireProcessTree: true);
                await proxy.WaitForExitAsync(Limit.Token);
            }
        }
    }

    /// <summary>The user's companion goes through it, too; the daemon's own ways are closed by it.</summary>
    [Fact]
    public async Task Api_server_is_reached_through_the_proxy_by_whoever_joins_with_a_kubeconfig()
    {
        var laptop = await NewLaptopBehindProxyAsync("");
        using var proxy = await StartProxyAsync(laptop, "connect", "-", $"{Cluster.ApiServer.Port}");
        var frida = await ClusterUser.CreateAsync(Cluster, laptop, "frida");
        try
        {
            await frida.LetConsumeAsync("shop");
            await frida.LetForwardAsync();
            await laptop.StartAsync();
            (await frida.JoinAsync()).ShouldSucceed();
            await Shell.EventuallyAsync("it is carried by the API server", async () => (await frida.FairleadAsync("space", "show")).Output.Contains("Carrier              port-forward", StringComparison.Ordinal));
            (await frida.FairleadAsync("consume", "shop/frontend")).ShouldSucceed();
            (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();
        }
        finally
        {
            proxy.Kill(entireProcessTree: true);
            await frida.RemoveAsync();
        }
    }

    [Fact]
    public async Task Proxy_that_takes_connections_and_says_nothing_is_told_soon()
    {
        var laptop = await NewLaptopBehindProxyAsync("");
        await laptop.StartAsync();
        var token = await Cluster.InviteAsync($"user{laptop.Number}", "shop");
        using var proxy = Cluster.Host.Start("python3", "-c", $"import socket, time; s = socket.create_server(('{ProxyAddress(laptop)}', {ProxyPort})); print('ready', flush=True); time.sleep(100000)");
        (await proxy.StandardOutput.ReadLineAsync(Limit.Token)).ShouldBe("ready");
        var refused = await laptop.FairleadAsync("join", token);
        refused.ShouldFail(3);
        refused.Error.ShouldContain("it gave no answer within 8 s");
        proxy.Kill(entireProcessTree: true);
    }

    /// <summary>As lists for clusters are: with networks.</summary>
    [Fact]
    public async Task Gateway_that_needs_no_proxy_is_reached_without()
    {
        var laptop = await NewLaptopAsync(start: false);
        laptop.Environment["HTTPS_PROXY"] = $"http://{ProxyAddress(laptop)}:{ProxyPort}";
        laptop.Environment["NO_PROXY"] = $"10.96.0.1/12,{string.Join(',', NodeNetworks.Select(network => network.Replace(".0.0/", ".0.9/")))},.svc";
        await laptop.StartAsync();
        await Cluster.JoinAsync(laptop, "shop");
        (await laptop.SpaceAsync()).GetProperty("carrier").GetString().ShouldBe("direct");
    }

    private async Task<Laptop> NewLaptopBehindProxyAsync(string user)
    {
        var laptop = await NewLaptopAsync(start: false);
        (await laptop.Host.RunAsync("nft", "add table ip wall; add chain ip wall out { type filter hook output priority 0; }; add rule ip wall out ip daddr { " + string.Join(", ", NodeNetworks) + " } drop; add rule ip wall out ip daddr " + Cluster.ApiServer.Address + " drop")).ShouldSucceed();
        laptop.Environment["HTTPS_PROXY"] = $"http://{user}{ProxyAddress(laptop)}:{ProxyPort}";
        return laptop;
    }

    /// <summary>On the other end of the laptop's cable.</summary>
    private async Task<Process> StartProxyAsync(Laptop laptop, params string[] arguments)
    {
        var proxy = Cluster.Host.Start(["python3", Path.Combine(AppContext.BaseDirectory, "Harness", "proxy.py"), ProxyAddress(laptop), $"{ProxyPort}", .. arguments]);
        (await proxy.StandardOutput.ReadLineAsync(Limit.Token)).ShouldBe("ready");
        return proxy;
    }

    private IEnumerable<string> NodeNetworks => Cluster.NodeAddresses.Select(node => string.Join('.', node.Split('.')[..2]) + ".0.0/16").Distinct();

    private static string ProxyAddress(Laptop laptop) => laptop.Gateway;
}
