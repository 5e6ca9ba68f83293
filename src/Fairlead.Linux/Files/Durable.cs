using Fairlead.Linux.Native;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Files;

/// <summary>Opening and synchronising where System.IO won't do.</summary>
internal static class Durable
{
    /// <summary>
    /// Opens a file that other programs use too. System.IO would lock it (flock(2), as its notion of sharing), and so fail or make others fail.
    /// </summary>
    /// <param name="path">Of the file.</param>
    /// <param name="flags">Of open(2); close-on-exec is added.</param>
    /// <param name="verb">For the message: "read".</param>
    /// <exception cref="Fairlead.Platform.HostException">It can't be opened.</exception>
    public static SafeFileHandle Open(string path, int flags, string verb)
    {
        const int OwnerOnly = 0x180; // 0600
        var file = Libc.Open(path, flags | Libc.OpenCloseOnExec, OwnerOnly);
        if (!file.IsInvalid)
        {
            return file;
        }

        var errno = Errno.Last;
        file.Dispose();
        throw FileFailure.Of(errno, path, verb);
    }

    /// <summary>Makes names that were created, renamed or removed in a directory survive a power cut. Some file systems can't; they say EINVAL.</summary>
    public static void SynchronizeDirectory(string path)
    {
        using var directory = Open(path, Libc.OpenReadOnly, "open");
        if (Libc.Synchronize(directory) != 0 && Errno.Last != Errno.Invalid)
        {
            throw Errno.Failure($"can't write the directory {path} to disk");
        }
    }

    /// <summary>Creates it, and its parents, for root only when new.</summary>
    public static void CreatePrivateDirectory(string path) =>
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
}
