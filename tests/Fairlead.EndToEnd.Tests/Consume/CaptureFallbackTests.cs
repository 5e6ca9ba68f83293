using System.Text.Json;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Consume;

/// <summary>Hosts whose kernel doesn't allow the best way of capture.</summary>
public sealed class CaptureFallbackTests(SharedCluster cluster) : ClusterTest(cluster)
{
    [Theory]
    [InlineData("nftables")]
    [InlineData("listeners")]
    public async Task Way_that_was_chosen_works_and_leaves_nothing(string way)
    {
        var laptop = await NewLaptopAsync();
        (await laptop.FairleadAsync("options", "set", "capture", way)).ShouldSucceed().Error.ShouldContain("restart");
        await laptop.RestartAsync();
        await Cluster.JoinAsync(laptop, "shop");
        await laptop.ConsumeAsync("shop/*");
        (await CaptureAsync(laptop)).GetProperty("method").GetString().ShouldBe(way);

        (await laptop.CurlAsync("http://frontend.shop/healthz")).Text.ShouldBe("ok");
        (await EchoAsync(laptop)).ShouldBe("hello");
        (await laptop.QuoteAsync()).ShouldEndWith(".");

        (await laptop.FairleadAsync("stop")).ShouldSucceed();
        (await laptop.Host.RunAsync("nft", "list", "ruleset")).Text.ShouldBe("");
        (await laptop.Host.RunAsync("ss", "-Hltun")).Text.ShouldBe("");
    }

    /// <summary>As in a container, where root lacks what the kernel wants for it (capabilities(7)).</summary>
    [Theory]
    [InlineData("-bpf,-perfmon,-sys_admin", "nftables")]
    [InlineData("-bpf,-perfmon,-sys_admin,-net_admin", "listeners")]
    public async Task Lesser_way_is_taken_and_the_reason_told_where_the_kernel_refuses_a_better_one(string capabilities, string way)
    {
        var laptop = await NewLaptopAsync(start: false);
        var started = await laptop.Host.RunAsync("setpriv", $"--bounding-set={capabilities}", Programs.Fairlead, "start");
        started.ShouldSucceed();
        (started.Output + started.Error).ShouldContain("a lesser capture is used");
        var capture = await CaptureAsync(laptop);
        capture.GetProperty("method").GetString().ShouldBe(way);
        capture.GetProperty("reason").GetString()!.ShouldContain("BPF", Case.Insensitive);

        await Cluster.JoinAsync(laptop, "shop");
        await laptop.ConsumeAsync("shop/*");
        (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();
        (await laptop.QuoteAsync()).ShouldEndWith(".");
        (await laptop.FairleadAsync("doctor")).Output.ShouldContain(way);
    }

    [Fact]
    public async Task Port_that_a_local_program_holds_is_a_conflict_while_other_services_work()
    {
        var laptop = await NewLaptopAsync();
        (await laptop.FairleadAsync("options", "set", "capture", "listeners")).ShouldSucceed();
        await laptop.RestartAsync();
        await Cluster.JoinAsync(laptop, "shop");
        using var local = laptop.Host.Start("python3", "-m", "http.server", "80", "--bind", "0.0.0.0", "--directory", "/etc/default");
        await Shell.EventuallyAsync("the local server answers", async () => (await laptop.CurlAsync("http://localhost/")).ExitCode == 0);
        var holder = (await laptop.Host.RunAsync("pgrep", "-f", "http.server 80")).Text;

        var conflict = await laptop.FairleadAsync("consume", "shop/*");
        conflict.ShouldFail(5);
        conflict.Error.ShouldContain($"port 80 is taken by python3 (pid {holder})");
        (await EchoAsync(laptop)).ShouldBe("hello");
        (await laptop.CurlAsync("http://localhost/")).Text.ShouldContain("Directory listing");

        (await laptop.Host.RunAsync("kill", holder)).ShouldSucceed();
        await local.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
        await laptop.ConsumeAsync("shop/*");
        (await laptop.CurlAsync("http://frontend.shop/healthz")).Text.ShouldBe("ok");
    }

    private static async Task<string> EchoAsync(Laptop laptop) =>
        (await laptop.Host.ShellAsync("exec 3<>/dev/tcp/echo.shop/7; echo hello >&3; timeout 5 head -n 1 <&3")).Text;

    private static async Task<JsonElement> CaptureAsync(Laptop laptop) =>
        JsonDocument.Parse((await laptop.FairleadAsync("status", "-o", "json")).Text).RootElement.GetProperty("capture");
}
