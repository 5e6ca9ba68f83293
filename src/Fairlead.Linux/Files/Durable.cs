using Fairlead.Linux.Native;

namespace Fairlead.Linux.Files;

/// <summary>fsync(2) where System.IO stops: directories.</summary>
internal static class Durable
{
    /// <summary>Makes names that were created, renamed or removed in a directory survive a power cut. Some file systems can't; they say EINVAL.</summary>
    public static void SynchronizeDirectory(string path)
    {
        using var directory = Libc.Open(path, Libc.OpenReadOnly | Libc.OpenDirectory | Libc.OpenCloseOnExec);
        if (directory.IsInvalid)
        {
            throw Errno.Failure($"can't open the directory {path}");
        }

        if (Libc.Synchronize(directory) != 0 && Errno.Last != Errno.Invalid)
        {
            throw Errno.Failure($"can't write the directory {path} to disk");
        }
    }

    /// <summary>Creates it, and its parents, for root only when new.</summary>
    public static void CreatePrivateDirectory(string path) =>
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
}
