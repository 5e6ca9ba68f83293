using System.Runtime.InteropServices;
using Fairlead.Linux.Namespaces;
using Fairlead.Linux.Native;
using Fairlead.Platform;

namespace Fairlead.Linux.Enclosure;

/// <summary>Files of this process's private mount namespace: others in their place, and none where a resolver of the host would answer.</summary>
public static class EnclosedFiles
{
    /// <summary>
    /// Where programs ask a resolver of the host past resolv.conf: nss-resolve(8) by varlink, and name service caches, which answer from outside.
    /// </summary>
    public static readonly IReadOnlyList<string> ResolverDirectories = ["/run/systemd/resolve", "/run/systemd/resolve.hook", "/run/nscd", "/var/run/nscd"];

    /// <summary>In a directory that is shown with other files: the host's own.</summary>
    private const string Original = ".fairlead";

    private const nuint Tree = NamespaceCalls.MsBind | NamespaceCalls.MsRecursive;

    /// <summary>
    /// Shows <paramref name="contents"/> (name to text) in a directory, whether it has such files or not. Nothing is written to a disk: what is shown is a file system in memory,
    /// which can't be written. The host's other files are links to its own directory there, so that they are what they are on the host at any time; directories are mounted, so that
    /// relative links in them lead where they do on the host. What is added to the directory itself later isn't seen.
    /// </summary>
    /// <remarks>
    /// A mount on the single file would be gone as soon as the host replaces that file, as whoever manages resolv.conf does: a rename over it
    /// takes along what is mounted on it in other namespaces (mount_namespaces(7), "Restrictions on mount namespaces": since Linux 3.18).
    /// </remarks>
    /// <param name="scratch">Any directory; for a moment it is where this is made.</param>
    /// <exception cref="HostException"/>
    public static void Replace(string directory, IReadOnlyDictionary<string, string> contents, string scratch)
    {
        ArgumentNullException.ThrowIfNull(contents);
        Check(NamespaceCalls.Mount("tmpfs", scratch, "tmpfs", 0, "mode=0755,size=64m"), $"can't mount a file system in memory on {scratch}");
        try
        {
            var original = Path.Combine(scratch, Original);
            Directory.CreateDirectory(original);
            Check(NamespaceCalls.Mount(directory, original, null, Tree, null), $"can't show {directory} in another place");
            foreach (var entry in new DirectoryInfo(directory).EnumerateFileSystemInfos().Where(e => e.Name != Original && !contents.ContainsKey(e.Name)))
            {
                Show(entry, Path.Combine(scratch, entry.Name));
            }

            foreach (var (name, content) in contents)
            {
                File.WriteAllText(Path.Combine(scratch, name), content);
            }

            Check(NamespaceCalls.Mount(scratch, directory, null, Tree, null), $"can't show another {directory}");
            Check(NamespaceCalls.Mount("none", directory, null, NamespaceCalls.MsBind | NamespaceCalls.MsRemount | NamespaceCalls.MsReadOnly, null), $"can't make the other {directory} read-only");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new HostException($"can't show another {directory}: {e.Message}", e);
        }
        finally
        {
            // What was made stays: it is mounted elsewhere, too.
            Check(NamespaceCalls.Unmount(scratch, NamespaceCalls.MntDetach), $"can't unmount {scratch}");
        }
    }

    /// <summary>These directories are empty, as where no such service runs. Those that don't exist are passed over.</summary>
    /// <exception cref="HostException"/>
    public static void Empty(IEnumerable<string> directories)
    {
        ArgumentNullException.ThrowIfNull(directories);
        foreach (var path in directories)
        {
            if (NamespaceCalls.Mount("tmpfs", path, "tmpfs", NamespaceCalls.MsReadOnly, "mode=0755,size=4k") != 0 && Marshal.GetLastPInvokeError() is var errno and not (Errno.NoEntry or Errno.AccessDenied))
            {
                throw Errno.Failure($"can't hide {path}", errno);
            }
        }
    }

    private static void Show(FileSystemInfo entry, string place)
    {
        if (entry.LinkTarget is { } target)
        {
            File.CreateSymbolicLink(place, target);
        }
        else if (entry is DirectoryInfo)
        {
            Directory.CreateDirectory(place);

            // One that has just been removed is empty.
            if (NamespaceCalls.Mount(entry.FullName, place, null, Tree, null) != 0 && Marshal.GetLastPInvokeError() is var errno and not Errno.NoEntry)
            {
                throw Errno.Failure($"can't show {entry.FullName} in another place", errno);
            }
        }
        else
        {
            File.CreateSymbolicLink(place, Path.Combine(Original, entry.Name));
        }
    }

    private static void Check(int result, string what)
    {
        if (result != 0)
        {
            throw Errno.Failure(what);
        }
    }
}
