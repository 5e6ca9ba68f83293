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
    public static readonly IReadOnlyList<string> ResolverSockets =
    [
        "/run/systemd/resolve/io.systemd.Resolve",
        "/run/systemd/resolve/io.systemd.Resolve.Monitor",
        "/run/systemd/resolve.hook/io.systemd.Resolve.Hook",
        "/run/nscd/socket",
        "/var/run/nscd/socket",
    ];

    /// <summary>
    /// Shows <paramref name="contents"/> (path to text) in place of files. Nothing is written to a disk: the new ones are on a file system in memory, which is
    /// mounted on <paramref name="scratch"/> for a moment. A file that isn't there can't be shown, and is left out.
    /// </summary>
    /// <param name="scratch">Any directory.</param>
    /// <exception cref="HostException"/>
    public static void Replace(IReadOnlyDictionary<string, string> contents, string scratch)
    {
        ArgumentNullException.ThrowIfNull(contents);
        Check(NamespaceCalls.Mount("tmpfs", scratch, "tmpfs", 0, "mode=0755,size=64m"), $"can't mount a file system in memory on {scratch}");
        try
        {
            foreach (var (path, content) in contents)
            {
                if (File.Exists(path))
                {
                    var file = Path.Combine(scratch, Path.GetFileName(path));
                    File.WriteAllText(file, content);
                    Check(NamespaceCalls.Mount(file, path, null, NamespaceCalls.MsBind, null), $"can't show another {path}");
                }
            }
        }
        finally
        {
            // The files stay: they are mounted elsewhere, too.
            Check(NamespaceCalls.Unmount(scratch, NamespaceCalls.MntDetach), $"can't unmount {scratch}");
        }
    }

    /// <summary>Whoever connects to one of these sockets is refused, as where no such service runs. Those that don't exist are passed over.</summary>
    /// <exception cref="HostException"/>
    public static void Mask(IEnumerable<string> sockets)
    {
        ArgumentNullException.ThrowIfNull(sockets);
        foreach (var path in sockets)
        {
            // One may lead to another by a link, and is masked already then.
            if (NamespaceCalls.Mount("/dev/null", path, null, NamespaceCalls.MsBind, null) != 0 && Marshal.GetLastPInvokeError() is var errno and not (Errno.NoEntry or Errno.AccessDenied))
            {
                throw Errno.Failure($"can't hide {path}", errno);
            }
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
