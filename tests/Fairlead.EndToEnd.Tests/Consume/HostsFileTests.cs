using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Consume;

/// <summary>The laptop's hosts file: ours alone is ours, whatever state it is in, and all of it goes away again.</summary>
public sealed class HostsFileTests(SharedCluster cluster) : ClusterTest(cluster)
{
    private const string Begin = "###\n# FAIRLEAD\n# This section is managed by Fairlead. Do not edit manually.\n";
    private const string End = "# /FAIRLEAD\n###\n";

    [Fact]
    public async Task Section_has_its_markers_and_goes_with_the_daemon()
    {
        var laptop = await NewMemberAsync();
        var before = await laptop.Host.ReadAsync("/etc/hosts");
        await laptop.ConsumeAsync("shop/frontend");

        var during = await laptop.Host.ReadAsync("/etc/hosts");
        during.ShouldStartWith(before);
        during.ShouldContain(Begin);
        during.ShouldContain(End);
        during.ShouldContain("frontend.shop.svc.cluster.local");

        (await laptop.FairleadAsync("stop")).ShouldSucceed();
        (await laptop.Host.ReadAsync("/etc/hosts")).ShouldBe(before);
    }

    [Fact]
    public async Task Lines_that_others_add_while_it_runs_survive()
    {
        var laptop = await NewMemberAsync();
        await laptop.ConsumeAsync("shop/frontend");
        (await laptop.Host.ShellAsync("echo '192.0.2.1 mine' >> /etc/hosts")).ShouldSucceed();
        await laptop.ConsumeAsync("shop/redis");
        (await laptop.Host.ReadAsync("/etc/hosts")).ShouldContain("192.0.2.1 mine\n");
        (await laptop.Host.RunAsync("getent", "hosts", "redis.shop")).ShouldSucceed();

        (await laptop.FairleadAsync("stop")).ShouldSucceed();
        var after = await laptop.Host.ReadAsync("/etc/hosts");
        after.ShouldContain("192.0.2.1 mine\n");
        after.ShouldNotContain("shop");
    }

    [Theory]
    [InlineData("no final newline", "127.0.0.1 localhost\n192.0.2.7 mine")]
    [InlineData("CRLF", "127.0.0.1 localhost\r\n192.0.2.7 mine\r\n")]
    [InlineData("a begin marker without an end", "127.0.0.1 localhost\n###\n# FAIRLEAD\n# This section is managed by Fairlead. Do not edit manually.\n127.72.0.9 gone.shop\n192.0.2.7 mine\n")]
    [InlineData("another tool's section", "127.0.0.1 localhost\n# KUBEFWD\n127.1.27.1 frontend.other\n# END\n192.0.2.7 mine\n")]
    public async Task A_strange_file_works_and_keeps_every_foreign_line(string what, string content)
    {
        var laptop = await NewMemberAsync();
        await laptop.Host.WriteAsync("/etc/hosts", content);
        await laptop.ConsumeAsync("shop/frontend");
        (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();
        (await laptop.FairleadAsync("stop")).ShouldSucceed();

        var after = await laptop.Host.ReadAsync("/etc/hosts");
        after.ShouldContain("192.0.2.7 mine", customMessage: what);
        after.ShouldNotContain("frontend.shop", customMessage: what);
        if (!content.Contains("FAIRLEAD"))
        {
            after.ShouldBe(content, what);
        }
    }

    [Fact]
    public async Task Ten_megabytes_of_others_stay_as_they_are()
    {
        var laptop = await NewMemberAsync();
        (await laptop.Host.ShellAsync("for i in $(seq 1 200000); do echo \"0.0.0.0 ad-$i.tracker.example.invalid # blocked\"; done >> /etc/hosts")).ShouldSucceed();
        var before = (await laptop.Host.ShellAsync("sha256sum < /etc/hosts")).Text;
        await laptop.ConsumeAsync("shop/frontend");
        (await laptop.Host.RunAsync("grep", "-c", "frontend.shop", "/etc/hosts")).ShouldSucceed();
        (await laptop.FairleadAsync("stop")).ShouldSucceed();
        (await laptop.Host.ShellAsync("sha256sum < /etc/hosts")).Text.ShouldBe(before);
    }

    [Fact]
    public async Task Symlink_stays_a_symlink()
    {
        var laptop = await NewMemberAsync();
        (await laptop.Host.ShellAsync("mkdir /etc/real && mv /etc/hosts /etc/real/hosts && ln -s real/hosts /etc/hosts")).ShouldSucceed();
        await laptop.ConsumeAsync("shop/frontend");
        (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();
        (await laptop.Host.RunAsync("readlink", "/etc/hosts")).Text.ShouldBe("real/hosts");
        (await laptop.FairleadAsync("stop")).ShouldSucceed();
        (await laptop.Host.RunAsync("readlink", "/etc/hosts")).Text.ShouldBe("real/hosts");
    }

    [Fact]
    public async Task Bind_mounted_file_is_written_in_place()
    {
        var laptop = await NewMemberAsync(bindMountedHosts: true);
        var before = await laptop.Host.ReadAsync("/etc/hosts");
        await laptop.ConsumeAsync("shop/frontend");
        (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();
        (await laptop.FairleadAsync("stop")).ShouldSucceed();
        (await laptop.Host.ReadAsync("/etc/hosts")).ShouldBe(before);
    }

    [Fact]
    public async Task Read_only_file_is_a_clear_error()
    {
        var laptop = await NewMemberAsync(bindMountedHosts: true);
        (await laptop.Host.RunAsync("mount", "-o", "remount,ro,bind", "/etc/hosts")).ShouldSucceed();
        var outcome = await laptop.FairleadAsync("consume", "shop/frontend");
        outcome.ExitCode.ShouldNotBe(0);
        outcome.Error.ShouldContain("/etc/hosts");
        outcome.Error.ShouldNotContain("   at ");
    }

    [Theory]
    [InlineData("start")]
    [InlineData("cleanup")]
    public async Task Killed_daemon_leaves_nothing_once_somebody_looks_after_it(string verb)
    {
        var laptop = await NewMemberAsync();
        var before = await laptop.Host.ReadAsync("/etc/hosts");
        await laptop.ConsumeAsync("shop/*");
        await laptop.KillDaemonAsync();
        (await laptop.Host.ReadAsync("/etc/hosts")).ShouldContain("FAIRLEAD");

        (await laptop.FairleadAsync(verb)).ShouldSucceed();
        if (verb == "start")
        {
            await Shell.EventuallyAsync("it works as before", async () => (await laptop.CurlAsync("http://frontend.shop/")).ExitCode == 0);
            (await laptop.FairleadAsync("stop")).ShouldSucceed();
        }

        (await laptop.Host.ReadAsync("/etc/hosts")).ShouldBe(before);
    }
}
