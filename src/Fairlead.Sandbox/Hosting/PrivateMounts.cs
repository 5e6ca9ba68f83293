using Fairlead.Sandbox.Network;

namespace Fairlead.Sandbox.Hosting;

/// <summary>
/// The serving process lives in PID and mount namespaces of its own (the launcher made them). Here it fills the mount namespace: its own
/// /proc, and a tmpfs with namespaces, writable layers, tokens and device files that nobody else sees and that ends with it.
/// </summary>
internal static class PrivateMounts
{
    /// <summary>File systems with data of the host; all others are virtual or a container's own.</summary>
    private static readonly HashSet<string> DataFileSystems =
        ["ext2", "ext3", "ext4", "xfs", "btrfs", "bcachefs", "f2fs", "zfs", "overlay", "9p", "virtiofs", "nfs", "nfs4", "fuseblk", "squashfs"];

    private static readonly string[] Own = ["/proc", "/sys", "/dev", "/run", "/tmp"];

    /// <param name="directory">Made when it is not there; the tmpfs is mounted on it.</param>
    internal static Task MountAsync(string directory, CancellationToken cancellationToken) =>
        HostTool.RunAsync(null, "/bin/sh", ["-e", "-s", directory], """
            umask 022
            mount -t proc proc /proc
            mkdir -p "$1"
            mount -t tmpfs -o mode=0700 sandbox "$1"
            mkdir "$1/dev" "$1/dev/pts" "$1/dev/shm" "$1/netns" "$1/scripts"
            cd "$1/dev"
            mknod -m 666 null c 1 3
            mknod -m 666 zero c 1 5
            mknod -m 666 full c 1 7
            mknod -m 666 random c 1 8
            mknod -m 666 urandom c 1 9
            mknod -m 666 tty c 5 0
            ln -s pts/ptmx ptmx
            ln -s /proc/self/fd fd
            ln -s /proc/self/fd/0 stdin
            ln -s /proc/self/fd/1 stdout
            ln -s /proc/self/fd/2 stderr
            """, cancellationToken);

    /// <summary>Directories below / on which the host has other data file systems, outermost first.</summary>
    /// <param name="mountInfo">The text of /proc/self/mountinfo (proc_pid_mountinfo(5)).</param>
    internal static IReadOnlyList<string> HostMounts(string mountInfo)
    {
        var found = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var line in mountInfo.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var halves = line.Split(" - ", 2);
            var fields = halves[0].Split(' ');
            if (halves.Length != 2 || fields.Length < 5)
            {
                continue;
            }

            var target = Unescape(fields[4]);
            if (target != "/" && DataFileSystems.Contains(halves[1].Split(' ')[0]) && !Own.Any(own => target == own || target.StartsWith(own + "/", StringComparison.Ordinal)))
            {
                found.Add(target);
            }
        }

        return [.. found];
    }

    private static string Unescape(string text) =>
        text.Replace("\\040", " ").Replace("\\011", "\t").Replace("\\012", "\n").Replace("\\134", "\\");
}
