using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Linux;

/// <summary>A daemon that was started where few files may be open, as from a login shell.</summary>
public sealed class OpenFilesTests
{
    private const string Few = "ulimit -Sn 1024 && ulimit -Hn 4096";

    [Theory]
    [InlineData("")]
    [InlineData("setpriv --bounding-set=-sys_resource")]
    public async Task Daemon_raises_its_limit_as_far_as_it_may(string without)
    {
        await using var host = await Host.CreateAsync("files");
        var most = (await host.ShellAsync($"{Few} && {without} sh -c 'ulimit -n 1048576 2> /dev/null; ulimit -Hn'")).Text;
        (await host.ShellAsync($"{Few} && {without} {Programs.Fairlead} start")).ShouldSucceed();

        var limits = await host.ShellAsync($"awk '/Max open files/ {{ print $4, $5 }}' /proc/$({Programs.Fairlead} status -o json | jq .pid)/limits");
        var logged = await host.RunAsync(Programs.Fairlead, "logs");
        (await host.RunAsync(Programs.Fairlead, "stop")).ShouldSucceed();

        limits.Text.ShouldBe($"{most} {most}");
        logged.Text.ShouldContain($"Up to {most} files may be open");
    }
}
