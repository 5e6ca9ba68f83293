using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Sandbox;

/// <summary>Up, down, and the end by kill -9: nothing is left behind.</summary>
public sealed class SandboxLifecycleTests(OwnSandbox sandbox) : IClassFixture<OwnSandbox>
{
    private const string Marker = "sleep 424242";

    [Fact]
    public async Task Killed_sandbox_leaves_no_process_link_or_mount_and_comes_up_again()
    {
        await sandbox.ApplyAsync("""
            apiVersion: v1
            kind: Pod
            metadata: {name: forever, namespace: default}
            spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: host, command: [sleep, '424242']}]}
            """);
        (await sandbox.KubectlAsync("wait", "--for=condition=Ready", "pod/forever", "--timeout=20s")).ShouldSucceed();
        await Shell.EventuallyAsync("the traces are found while it runs", async () => (await TracesAsync()).Contains(Marker));

        (await sandbox.Host.RunAsync("kill", "-9", $"{await sandbox.ServingPidAsync()}")).ShouldSucceed();
        await Shell.EventuallyAsync("the kernel has taken everything down", async () => (await TracesAsync()).Length == 0);
        (await sandbox.FairleadAsync("sandbox", "status", "-o", "json")).Output.ShouldContain("\"running\": false");

        await sandbox.UpAsync();
        (await sandbox.KubectlAsync("get", "pods", "-A", "--no-headers")).Output.ShouldBeEmpty("a sandbox begins empty");

        (await sandbox.FairleadAsync("sandbox", "down")).ShouldSucceed();
        (await TracesAsync()).ShouldBeEmpty();
        (await sandbox.Host.ShellAsync("ls -d /run/fairlead-sandbox /var/lib/fairlead-sandbox 2>/dev/null")).Output.ShouldBeEmpty();
        (await sandbox.FairleadAsync("sandbox", "down")).ShouldSucceed();
        await sandbox.UpAsync();
    }

    [Fact]
    public async Task Second_up_changes_nothing()
    {
        var before = await sandbox.ServingPidAsync();

        await sandbox.UpAsync();

        (await sandbox.ServingPidAsync()).ShouldBe(before);
    }

    /// <summary>What a sandbox is made of, as this machine sees it: links, mounts, processes.</summary>
    private async Task<string> TracesAsync() => (await sandbox.Host.ShellAsync($"""
        ip -o link | grep -o 'fls-[0-9a-f]*' || true
        grep fairlead-sandbox /proc/self/mounts || true
        pgrep -af '{Marker[..^1]}[2]|sandbox serve' | grep -v pgrep | cut -d' ' -f2- || true
        ip netns list
        """)).ShouldSucceed().Output.Trim();
}
