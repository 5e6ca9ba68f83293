using System.Text.Json;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Consume;

/// <summary>The main job: services of the cluster by their names, from any local program.</summary>
public sealed class ConsumeTests(SharedCluster cluster) : ClusterTest(cluster)
{
    [Fact]
    public async Task Consume_of_the_shop_reaches_services_by_each_of_their_names()
    {
        var laptop = await NewMemberAsync();
        await laptop.ConsumeAsync("shop/*");

        foreach (var name in new[] { "frontend.shop", "frontend.shop.svc", "frontend.shop.svc.cluster.local" })
        {
            (await laptop.CurlAsync($"http://{name}/healthz")).Text.ShouldBe("ok");
        }
    }

    [Fact]
    public async Task Consume_reaches_headless_and_clustered_databases()
    {
        Need(ClusterFeature.Postgres);
        Need(ClusterFeature.Redis);
        var laptop = await NewMemberAsync();
        await laptop.ConsumeAsync("shop/*");

        (await laptop.CurlAsync("http://frontend.shop/")).Text.ShouldContain("<html", Case.Insensitive);
        (await laptop.Host.RunAsync(["psql", "-h", "postgres.shop", "-U", "shop", "-Atc", "select count(*) > 0 from products", "shop"],
            environment: new Dictionary<string, string> { ["PGPASSWORD"] = "shop" })).Text.ShouldBe("t");
        (await laptop.Host.RunAsync("redis-cli", "-h", "redis.shop", "ping")).Text.ShouldBe("PONG");
    }

    [Fact]
    public async Task Consume_lists_addresses_that_stay_with_their_service()
    {
        var laptop = await NewMemberAsync();
        await laptop.ConsumeAsync("shop/frontend", "shop/redis");
        var before = await AddressesAsync(laptop);
        before.Count.ShouldBe(2);
        before.Values.ShouldAllBe(a => a.StartsWith("127.7"));

        (await laptop.FairleadAsync("stop")).ShouldSucceed();
        (await laptop.Host.ReadAsync("/etc/hosts")).ShouldNotContain("FAIRLEAD");
        await laptop.StartAsync();
        await Shell.EventuallyAsync("the rules are back", async () => (await AddressesAsync(laptop)).Count == 2);
        (await AddressesAsync(laptop)).ShouldBe(before);
    }

    [Fact]
    public async Task Consume_of_a_port_that_the_service_lacks_is_refused()
    {
        var laptop = await NewMemberAsync();
        await laptop.ConsumeAsync("shop/frontend");
        var outcome = await laptop.CurlAsync("http://frontend.shop:81/");
        outcome.ShouldFail(7);
    }

    [Fact]
    public async Task Consume_leaves_local_ports_to_local_programs()
    {
        var laptop = await NewMemberAsync();
        using var before = laptop.Host.Start("python3", "-m", "http.server", "80", "--bind", "0.0.0.0", "--directory", "/etc/default");
        await Shell.EventuallyAsync("the local server answers", async () => (await laptop.CurlAsync("http://localhost/")).ExitCode == 0);
        await laptop.ConsumeAsync("shop/*");

        (await laptop.CurlAsync("http://localhost/")).Text.ShouldContain("Directory listing");
        (await laptop.CurlAsync("http://frontend.shop/")).Text.ShouldNotContain("Directory listing");

        // A program that comes later gets the port of a consumed service, too.
        using var after = laptop.Host.Start("python3", "-m", "http.server", "7", "--bind", "0.0.0.0", "--directory", "/etc/default");
        await Shell.EventuallyAsync("the later server answers", async () => (await laptop.CurlAsync("http://localhost:7/")).ExitCode == 0);
        (await laptop.Host.ShellAsync("exec 3<>/dev/tcp/echo.shop/7; echo hello >&3; timeout 10 head -n 1 <&3")).Text.ShouldBe("hello");
        before.Kill();
        after.Kill();
    }

    [Fact]
    public async Task Namespace_without_a_grant_is_not_there()
    {
        var laptop = await NewMemberAsync();
        var outcome = await laptop.FairleadAsync("consume", "kube-system/*");
        (outcome.Output + outcome.Error).ShouldContain("kube-system");
        (await AddressesAsync(laptop)).ShouldBeEmpty();
    }

    private static async Task<IReadOnlyDictionary<string, string>> AddressesAsync(Laptop laptop)
    {
        var json = JsonDocument.Parse((await laptop.FairleadAsync("consume", "list", "-o", "json")).Text).RootElement;
        return json.GetProperty("services").EnumerateArray().ToDictionary(s => s.GetProperty("name").GetString()!, s => s.GetProperty("address").GetString()!);
    }
}
