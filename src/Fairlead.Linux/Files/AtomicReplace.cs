using System.Text;
using Fairlead.Linux.Native;
using Fairlead.Platform;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Files;

internal enum ReplaceOutcome
{
    Done,

    /// <summary>The file changed meanwhile; nothing was done.</summary>
    Raced,

    /// <summary>This way can't be gone here; nothing was done.</summary>
    Impossible,
}

/// <summary>Replaces a file by another of the same owner, mode and extended attributes: readers see the old or the new one, never a part.</summary>
internal static class AtomicReplace
{
    /// <summary>Names and values are bounded by the kernel (xattr(7)).</summary>
    private const int MaxAttributes = 65536;

    /// <param name="target">Not a symlink.</param>
    /// <param name="content">New.</param>
    /// <param name="status">Of the old file: owner and mode are taken from it.</param>
    /// <param name="unchanged">Asked just before the rename.</param>
    /// <exception cref="IOException">Such as a full disk. The old file is untouched.</exception>
    /// <exception cref="HostException">Likewise.</exception>
    public static ReplaceOutcome Try(string target, ReadOnlySpan<byte> content, in Libc.FileStatus status, Func<bool> unchanged)
    {
        var directory = Path.GetDirectoryName(target)!;

        // One name, so that what a kill leaves is replaced by the next attempt; callers hold the lock.
        var temporary = Path.Combine(directory, $".{Path.GetFileName(target)}.fairlead");
        SafeFileHandle created;
        try
        {
            File.Delete(temporary);
            created = File.OpenHandle(temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception exception) when (exception is UnauthorizedAccessException || exception is IOException { HResult: Errno.ReadOnly })
        {
            // The directory can't be written, the file perhaps can.
            return ReplaceOutcome.Impossible;
        }

        var renamed = false;
        try
        {
            using (created)
            {
                File.SetUnixFileMode(created, UnixFileMode.UserRead | UnixFileMode.UserWrite);
                if (!TryCopyOwner(target, created, status))
                {
                    return ReplaceOutcome.Impossible;
                }

                RandomAccess.Write(created, content, 0);
                File.SetUnixFileMode(created, status.Permissions);
                RandomAccess.FlushToDisk(created);
            }

            if (!unchanged())
            {
                return ReplaceOutcome.Raced;
            }

            if (Libc.Rename(temporary, target) != 0)
            {
                return Errno.Last is Errno.Busy or Errno.CrossDevice ? ReplaceOutcome.Impossible : throw FileFailure.Of(Errno.Last, target, "replace");
            }

            renamed = true;
            Durable.SynchronizeDirectory(directory);
            return ReplaceOutcome.Done;
        }
        finally
        {
            if (!renamed)
            {
                File.Delete(temporary);
            }
        }
    }

    /// <summary>False when something of the old file can't be given to the new one: then it had better stay.</summary>
    private static bool TryCopyOwner(string target, SafeFileHandle created, in Libc.FileStatus status)
    {
        if (Libc.ChangeOwner(created, status.User, status.Group) != 0)
        {
            return false;
        }

        using var old = Durable.Open(target, Libc.OpenReadOnly, "read");
        var names = new byte[MaxAttributes];
        var value = new byte[MaxAttributes];
        var length = Libc.ListAttributes(old, names, MaxAttributes);
        if (length < 0)
        {
            return Errno.Last == Errno.NotSupported;
        }

        foreach (var name in Encoding.UTF8.GetString(names.AsSpan(0, (int)length)).Split('\0', StringSplitOptions.RemoveEmptyEntries))
        {
            var size = Libc.GetAttribute(old, name, value, MaxAttributes);
            if (size < 0 || Libc.SetAttribute(created, name, value, (nuint)size, 0) != 0)
            {
                return false;
            }
        }

        return true;
    }
}
