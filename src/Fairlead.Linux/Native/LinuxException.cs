using System.Runtime.InteropServices;
using Fairlead.Platform;

namespace Fairlead.Linux.Native;

/// <summary>A system call failed with an errno that has no exception of its own in Fairlead.Platform.</summary>
public sealed class LinuxException(string message, int errno) : HostException(message)
{
    /// <summary>errno(3), as on this architecture.</summary>
    public int Errno { get; } = errno;
}

internal static class Errno
{
    public const int PermissionDenied = 1;      // EPERM
    public const int NoEntry = 2;               // ENOENT
    public const int Interrupted = 4;           // EINTR
    public const int InputOutput = 5;           // EIO
    public const int NotExecutable = 8;         // ENOEXEC
    public const int Again = 11;                // EAGAIN
    public const int AccessDenied = 13;         // EACCES
    public const int Busy = 16;                 // EBUSY
    public const int CrossDevice = 18;          // EXDEV
    public const int IsDirectory = 21;          // EISDIR
    public const int Invalid = 22;              // EINVAL
    public const int FileTooBig = 27;           // EFBIG
    public const int NoSpace = 28;              // ENOSPC
    public const int ReadOnly = 30;             // EROFS
    public const int Range = 34;                // ERANGE
    public const int Loop = 40;                 // ELOOP
    public const int NoData = 61;               // ENODATA
    public const int NoProcess = 3;             // ESRCH: no such route
    public const int Exists = 17;               // EEXIST
    public const int NoDevice = 19;             // ENODEV
    public const int MessageSize = 90;          // EMSGSIZE
    public const int NotSupported = 95;         // EOPNOTSUPP
    public const int NoFamily = 97;             // EAFNOSUPPORT
    public const int NoBuffers = 105;           // ENOBUFS
    public const int QuotaExceeded = 122;       // EDQUOT

    public static int Last => Marshal.GetLastPInvokeError();

    /// <summary>What the last system call's errno means for a caller who wanted <paramref name="what"/> ("can't lock /etc/hosts").</summary>
    public static HostException Failure(string what) => Failure(what, Last);

    public static HostException Failure(string what, int errno)
    {
        var message = $"{what}: {Marshal.GetPInvokeErrorMessage(errno)}.";
        return errno is PermissionDenied or AccessDenied ? new HostDeniedException(message) : new LinuxException(message, errno);
    }
}
