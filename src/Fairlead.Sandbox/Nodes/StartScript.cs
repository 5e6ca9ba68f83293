using System.Text;

namespace Fairlead.Sandbox.Nodes;

/// <summary>
/// The shell script that turns a process in fresh mount, PID, UTS and IPC namespaces into a container: it puts the root together from
/// an overlay on the host's root, mounts what the plan says, moves into it (pivot_root(2)), takes on the identity and becomes the
/// command. Mount targets are made after the move, so that symbolic links in them stay inside the container.
/// </summary>
internal static class StartScript
{
    internal const string OldRoot = "/.sandbox-host";

    /// <summary>The exit code of a container that could not be set up (what runc reports as a start error).</summary>
    internal const int SetupFailed = 128;

    private static readonly string[] HostWide = ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"];
    private static readonly string[] RootMounts = ["/tmp", "/run", "/"];

    internal static string Render(ContainerPlan plan)
    {
        var root = plan.Layer + "/root";
        var script = new StringBuilder();
        void Line(string text) => script.Append(text).Append('\n');

        Line("set -e");
        Line($"trap 'exit {SetupFailed}' EXIT");
        Line("umask 022");
        Line($"mount -t overlay -o {Quote($"nodev,lowerdir=/,upperdir={plan.Layer}/upper,workdir={plan.Layer}/work")} overlay {Quote(root)}");
        for (var i = 0; i < plan.HostMounts.Count; i++)
        {
            // Copy on write, too; as it is where an overlay cannot lie on that (a file, or a file system that is not fit for it).
            var (from, to, layer) = (Quote(plan.HostMounts[i]), Quote(root + plan.HostMounts[i]), $"{plan.Layer}/mount{i}");
            Line($"mkdir -p {Quote(layer + "/upper")} {Quote(layer + "/work")}");
            Line($"chmod --reference={from} {Quote(layer + "/upper")}");
            Line($"chown --reference={from} {Quote(layer + "/upper")}");
            Line($"[ -d {from} ] && mount -t overlay -o {Quote("nodev,lowerdir=")}{from}{Quote($",upperdir={layer}/upper,workdir={layer}/work")} overlay {to} 2> /dev/null || mount --bind {from} {to}");
        }

        Line($"mount -t proc proc {Quote(root + "/proc")}");
        Line($"mount -t sysfs -o ro,nosuid,nodev,noexec sysfs {Quote(root + "/sys")}");
        Line($"mount --bind {Quote(plan.Devices)} {Quote(root + "/dev")}");
        Line($"mount -o remount,bind,ro {Quote(root + "/dev")}");
        Line($"mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts {Quote(root + "/dev/pts")}");
        Line($"mount -t tmpfs -o nosuid,nodev,mode=1777 shm {Quote(root + "/dev/shm")}");
        Line($"mount -t tmpfs -o nosuid,nodev,mode=1777 tmp {Quote(root + "/tmp")}");
        Line($"mount -t tmpfs -o nosuid,nodev,mode=0755 run {Quote(root + "/run")}");
        Line($"printf %s {Quote(plan.HostName)} > /proc/sys/kernel/hostname");
        Line($"cd {Quote(root)}");
        Line($"pivot_root . {Quote(root + OldRoot)}");
        Line("cd /");
        if (plan.Identity.Capabilities is not null)
        {
            // Root without capabilities still owns these files, and they are the whole machine's.
            foreach (var path in HostWide)
            {
                Line($"if [ -e {path} ]; then mount --bind {path} {path}; mount -o remount,bind,ro {path}; fi");
            }
        }

        foreach (var hidden in plan.Hidden)
        {
            Line($"if [ -d {Quote(hidden)} ]; then mount -t tmpfs -o ro,size=4k,mode=0755 hidden {Quote(hidden)}; fi");
        }

        foreach (var mount in plan.Mounts)
        {
            var (source, target) = (Quote(OldRoot + mount.Source), Quote(mount.Target));
            Line($"if [ -d {source} ]; then mkdir -p {target}; else mkdir -p {Quote(Parent(mount.Target))}; [ -e {target} ] || : > {target}; fi");
            Line($"mount --rbind {source} {target}");
            if (mount.ReadOnly)
            {
                Line($"mount -o remount,bind,ro {target}");
            }
        }

        Line($"mkdir -p {Quote(plan.WorkingDirectory)}");
        Line($": > {Quote(OldRoot + StartedFile(plan.Layer))}");
        Line($"umount -l {OldRoot}");
        Line($"rmdir {OldRoot}");
        if (plan.ReadOnlyRoot)
        {
            var mounted = plan.Mounts.Select(m => m.Target.TrimEnd('/')).ToHashSet();
            foreach (var path in RootMounts.Where(path => !mounted.Contains(path)))
            {
                Line($"mount -o remount,bind,ro {path}");
            }
        }

        if (!plan.Identity.IsRoot)
        {
            // So that a program of that user can open /dev/stdout, which is a pipe that root made.
            Line($"chown {Quote(plan.Identity.User)} /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2");
        }

        Line($"cd {Quote(plan.WorkingDirectory)}");
        Line("trap - EXIT");
        var words = new List<string> { "/usr/bin/setpriv" };
        words.AddRange(plan.Identity.SetPrivArguments());
        words.AddRange(["--", "/usr/bin/env", "-i"]);
        words.AddRange(plan.Environment.Select(e => $"{e.Key}={e.Value}"));
        words.AddRange(plan.Command);
        Line("exec " + string.Join(' ', words.Select(Quote)));
        return script.ToString();
    }

    /// <summary>Appears once the container's root is in place: nothing may be executed in it before.</summary>
    internal static string StartedFile(string layer) => layer + "/started";

    /// <summary>One word for a POSIX shell.</summary>
    internal static string Quote(string text) => $"'{text.Replace("'", "'\\''")}'";

    private static string Parent(string path) => Path.GetDirectoryName(path.TrimEnd('/')) is { Length: > 0 } parent ? parent : "/";
}
