using System.Globalization;
using Fairlead.Linux.Native;
using Fairlead.Platform;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Files;

/// <summary>
/// A lock between processes (flock(2)) on a file of its own, which holds the holder's pid for messages. The kernel releases it when the
/// process ends in any way. The file stays: removing it would let two processes lock two files of one name.
/// </summary>
internal sealed class FileLock : IDisposable
{
    private readonly SafeFileHandle handle;

    private FileLock(SafeFileHandle handle) => this.handle = handle;

    /// <returns>Null when another open description holds it.</returns>
    public static FileLock? TryAcquire(string path)
    {
        var file = Durable.Open(path, Libc.OpenReadWrite | Libc.OpenCreate, "lock");
        if (Libc.Lock(file, Libc.LockExclusive | Libc.LockNonBlocking) != 0)
        {
            var errno = Errno.Last;
            file.Dispose();
            return errno == Errno.Again ? null : throw Errno.Failure($"can't lock {path}", errno);
        }

        RandomAccess.SetLength(file, 0);
        RandomAccess.Write(file, System.Text.Encoding.ASCII.GetBytes(Environment.ProcessId.ToString(CultureInfo.InvariantCulture)), 0);
        return new FileLock(file);
    }

    /// <exception cref="HostBusyException">Another holds it.</exception>
    public static FileLock Acquire(string path, string what) =>
        TryAcquire(path) ?? throw (HolderOf(path) is { } pid ? new HostBusyException($"{what} is in use by process {pid}.", pid) : new HostBusyException($"{what} is in use by another process.", null));

    /// <summary>Unlocks before it closes: a child that is just being started has the description, too, until it runs its program.</summary>
    public void Dispose()
    {
        if (!handle.IsClosed)
        {
            _ = Libc.Lock(handle, Libc.LockUnlock);
            handle.Dispose();
        }
    }

    private static int? HolderOf(string path)
    {
        using var file = Durable.Open(path, Libc.OpenReadOnly, "read");
        Span<byte> digits = stackalloc byte[16];
        return int.TryParse(digits[..RandomAccess.Read(file, digits, 0)], NumberStyles.None, CultureInfo.InvariantCulture, out var pid) ? pid : null;
    }
}
