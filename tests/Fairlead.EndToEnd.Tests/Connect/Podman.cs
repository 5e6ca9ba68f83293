using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Connect;

/// <summary>
/// Podman on a laptop, with storage of its own and our image in it. Containers have no cgroups of their own, because those would be the
/// real machine's: crun can do without (https://github.com/containers/crun, <c>cgroups = "disabled"</c> of containers.conf(5)), runc can't. Networks are made by the CNI plugins, whichever else are installed.
/// </summary>
internal sealed class Podman
{
    /// <summary>As deploy/image/build names it.</summary>
    public const string Image = "docker.io/fairlead/fairlead:dev";

    private static readonly string Archive = Path.Combine(Programs.Root, "artifacts/image/fairlead.tar");
    private readonly Laptop laptop;

    private Podman(Laptop laptop) => this.laptop = laptop;

    /// <summary>
    /// Returns once a container of no concern to us runs, <c>idle</c>: the engine's bridge is there, and stays. Skips the test where
    /// podman can't run a container.
    /// </summary>
    public static async Task<Podman> InstallAsync(Laptop laptop)
    {
        foreach (var program in new[] { "podman", "crun" })
        {
            Assert.SkipWhen((await Shell.RunAsync(["bash", "-c", $"command -v {program}"])).ExitCode != 0, $"{program} is not installed");
        }

        File.Exists(Archive).ShouldBeTrue("./test makes the image with deploy/image/build");
        laptop.Environment["HOME"] = "/var/root";
        laptop.Environment["XDG_STATE_HOME"] = "/var/root/state";
        await laptop.Host.ShellAsync("""
            set -e
            mkdir -p /var/root /var/lib/containers /etc/containers
            mount -t tmpfs tmpfs /var/lib/containers
            mount -t tmpfs tmpfs /dev/shm
            mount -t cgroup2 cgroup2 /sys/fs/cgroup
            printf '[engine]\nruntime = "crun"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n[containers]\ncgroups = "disabled"\n[network]\nnetwork_backend = "cni"\n' > /etc/containers/containers.conf
            """).ShouldSucceedAsync();
        var podman = new Podman(laptop);
        await podman.RunAsync("load", "--quiet", "--input", Archive).ShouldSucceedAsync();
        var idle = await podman.RunAsync("run", "--detach", "--name", "idle", "--volume", "/usr:/usr:ro", "--entrypoint", "/usr/bin/sleep", Image, "infinity");
        Assert.SkipWhen(idle.ExitCode != 0, $"podman can't run a container here: {idle.Error.Trim()}");
        await Shell.EventuallyAsync("the addresses have settled", async () => !(await laptop.Host.RunAsync("ip", "address")).Text.Contains("tentative"));
        return podman;
    }

    public Task<Outcome> RunAsync(params string[] arguments) => laptop.Host.RunAsync(["podman", .. arguments], environment: laptop.Environment);

    /// <summary>A script of bash, with this machine's programs, in a container that joins the daemon's network.</summary>
    public Task<Outcome> JoinedAsync(string script) =>
        RunAsync("run", "--rm", "--network", "container:fairlead", "--volume", "/usr:/usr:ro", "--entrypoint", "/usr/bin/bash", Image, "-c", script);

    /// <summary>Names of all containers, also of those that ended.</summary>
    public async Task<string[]> ContainersAsync() => (await RunAsync("ps", "--all", "--format", "{{.Names}}")).Text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
