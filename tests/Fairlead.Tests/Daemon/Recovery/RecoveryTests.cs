using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Daemon;
using Fairlead.Platform;
using Fairlead.Tests.Daemon.Fakes;

namespace Fairlead.Tests.Daemon.Recovery;

/// <summary>What a kill -9 leaves at each stage, and what the next start or cleanup makes of it.</summary>
public sealed class RecoveryTests : IDisposable
{
    private const string Section = "###\n# FAIRLEAD\n# This section is managed by Fairlead. Do not edit manually.\n127.72.1.1 frontend.shop\n# /FAIRLEAD\n###\n";
    private const string Original = "127.0.0.1 localhost\n";

    private readonly FakeHost host = new();

    public void Dispose() => host.Dispose();

    [Fact]
    public async Task CleanUp_nothing_left_says_nothing()
    {
        (await DaemonHost.CleanUpAsync(host, CancellationToken.None)).ShouldBeEmpty();
        host.Hosts.Writes.ShouldBe(0);
    }

    [Fact]
    public async Task CleanUp_killed_after_the_journal_before_the_write()
    {
        host.Journal.Record("hosts-section", "127.72.0.0/14 /etc/hosts");
        await DaemonHost.CleanUpAsync(host, CancellationToken.None);
        host.Hosts.Content.ShouldBe(Original);
        host.Journal.Pending.ShouldBeEmpty();
    }

    [Fact]
    public async Task CleanUp_killed_after_the_write()
    {
        host.Journal.Record("hosts-section", "127.72.0.0/14 /etc/hosts");
        host.Hosts.Edit(content => content + Section);
        (await DaemonHost.CleanUpAsync(host, CancellationToken.None)).ShouldHaveSingleItem().ShouldContain("/etc/hosts");
        host.Hosts.Content.ShouldBe(Original);
        host.Journal.Pending.ShouldBeEmpty();
    }

    [Fact]
    public async Task CleanUp_after_a_reboot_without_the_journal()
    {
        host.Hosts.Edit(content => content + Section);
        (await DaemonHost.CleanUpAsync(host, CancellationToken.None)).ShouldHaveSingleItem();
        host.Hosts.Content.ShouldBe(Original);
    }

    [Fact]
    public async Task CleanUp_lines_of_a_range_that_was_changed_since()
    {
        host.Journal.Record("hosts-section", "127.99.0.0/16 /etc/hosts");
        host.Hosts.Edit(content => content + Section.Replace("127.72.1.1", "127.99.1.1"));
        await DaemonHost.CleanUpAsync(host, CancellationToken.None);
        host.Hosts.Content.ShouldBe(Original);
    }

    [Fact]
    public async Task CleanUp_changes_of_the_platform_are_undone_and_unknown_ones_kept()
    {
        host.Journal.Record("nft-table", "fairlead");
        host.Journal.Record("from-the-future", "x");
        (await DaemonHost.CleanUpAsync(host, CancellationToken.None)).ShouldBe(["undid nft-table fairlead"]);
        host.Journal.Pending.ShouldHaveSingleItem().Kind.ShouldBe("from-the-future");
    }

    [Fact]
    public async Task CleanUp_file_that_cannot_be_written_keeps_the_journal()
    {
        host.Journal.Record("hosts-section", "127.72.0.0/14 /etc/hosts");
        host.Hosts.Failure = new HostDeniedException("only root may write /etc/hosts");
        (await Should.ThrowAsync<FairleadException>(() => DaemonHost.CleanUpAsync(host, CancellationToken.None))).Error.Category.ShouldBe(ErrorCategory.Denied);
        host.Journal.Pending.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task CleanUp_while_a_daemon_runs_is_a_conflict()
    {
        host.Busy = true;
        var error = (await Should.ThrowAsync<FairleadException>(() => DaemonHost.CleanUpAsync(host, CancellationToken.None))).Error;
        error.Category.ShouldBe(ErrorCategory.Conflict);
        error.Why.ShouldNotBeNull().ShouldContain("4711");
    }

    [Fact]
    public async Task Start_while_a_daemon_runs_is_a_conflict()
    {
        host.Busy = true;
        (await Should.ThrowAsync<FairleadException>(() => DaemonHost.RunAsync(new DaemonOptions(), host, CancellationToken.None))).Error.Code.ShouldBe("daemon-running");
    }

    [Fact]
    public async Task Start_undoes_what_a_killed_daemon_left()
    {
        host.Journal.Record("hosts-section", "127.72.0.0/14 /etc/hosts");
        host.Hosts.Edit(content => content + Section);
        await using (await TestDaemon.StartAsync(host, new FakeGateway()))
        {
            host.Hosts.Content.ShouldBe(Original);
            host.Journal.Pending.ShouldBeEmpty();
        }
    }

    [Fact]
    public async Task Start_after_a_kill_takes_up_spaces_rules_and_addresses()
    {
        var gateway = new FakeGateway();
        gateway.Tell(TestDaemon.Service("shop", "frontend", 80));
        string address, killed;
        await using (var first = await TestDaemon.StartAsync(host, gateway))
        {
            await first.JoinAsync();
            address = (await first.ConsumeAsync("shop/*")).Services[0].Address;
            killed = host.Hosts.Content;
        }

        host.Hosts.Edit(_ => killed);
        await using var second = await TestDaemon.StartAsync(host, gateway);
        var state = await second.WaitForAsync(LocalApi.Consume, LocalJson.Default.ConsumeState, now => now.Services.Count == 1);
        state.Services[0].Address.ShouldBe(address);
        host.Hosts.Content.ShouldBe(killed);
    }

    [Theory]
    [InlineData("space.json", "garbage")]
    [InlineData("space.json", "{}")]
    [InlineData("identity.pem", "garbage")]
    [InlineData("rules.json", "{\"rules\":[\"nonsense\"],\"primaryNamespace\":null}")]
    [InlineData("addresses.json", "[")]
    public async Task Start_with_damaged_state_leaves_that_space_out_and_runs(string file, string content)
    {
        var gateway = new FakeGateway();
        await using (var first = await TestDaemon.StartAsync(host, gateway))
        {
            await first.JoinAsync();
        }

        await File.WriteAllTextAsync(Path.Combine(host.StateDirectory, "0", gateway.Uid, file), content);
        await using var second = await TestDaemon.StartAsync(host, gateway);
        (await second.GetAsync(LocalApi.Spaces, LocalJson.Default.SpaceList)).Spaces.ShouldBeEmpty();
    }

    [Fact]
    public async Task Run_cancelled_undoes_and_ends()
    {
        using var cancel = new CancellationTokenSource();
        host.Hosts.Edit(content => content + Section);
        var running = DaemonHost.RunAsync(new DaemonOptions(), host, cancel.Token);
        while (!File.Exists(Path.Combine(host.RunDirectory, "daemon.sock")))
        {
            await Task.WhenAny(running, Task.Delay(5));
            running.IsCompleted.ShouldBeFalse();
        }

        await cancel.CancelAsync();
        await running;
        host.Hosts.Content.ShouldBe(Original);
        host.Journal.Pending.ShouldBeEmpty();
    }
}
