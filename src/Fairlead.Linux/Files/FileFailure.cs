using Fairlead.Linux.Native;
using Fairlead.Platform;

namespace Fairlead.Linux.Files;

/// <summary>What went wrong with a file, as an exception that a caller can act on.</summary>
internal static class FileFailure
{
    /// <param name="exception">From System.IO.</param>
    /// <param name="path">The file.</param>
    /// <param name="verb">What was tried: "read".</param>
    public static HostException Of(Exception exception, string path, string verb) => exception switch
    {
        HostException already => already,
        UnauthorizedAccessException => new HostDeniedException($"Can't {verb} {path}: permission denied.", exception),
        FileNotFoundException or DirectoryNotFoundException => new HostFileException(HostFileProblem.Missing, $"Can't {verb} {path}: it doesn't exist.", exception),

        // On Unix an IOException's HResult is the errno.
        IOException io => Of(io.HResult, path, verb, io),
        _ => new HostFileException(HostFileProblem.Other, $"Can't {verb} {path}: {exception.Message}", exception),
    };

    public static HostException Of(int errno, string path, string verb, Exception? inner = null) => errno switch
    {
        Errno.PermissionDenied or Errno.AccessDenied => new HostDeniedException($"Can't {verb} {path}: permission denied.", inner) { Hint = "Is it immutable (lsattr)?" },
        Errno.NoEntry => new HostFileException(HostFileProblem.Missing, $"Can't {verb} {path}: it doesn't exist.", inner),
        Errno.ReadOnly => new HostFileException(HostFileProblem.ReadOnly, $"Can't {verb} {path}: its file system is read-only.", inner),
        Errno.NoSpace or Errno.QuotaExceeded => new HostFileException(HostFileProblem.NoSpace, $"Can't {verb} {path}: no space is left on its file system.", inner),
        Errno.Loop => new HostFileException(HostFileProblem.WrongKind, $"Can't {verb} {path}: its symbolic links lead in a circle.", inner),
        _ => new HostFileException(HostFileProblem.Other, $"Can't {verb} {path}: {System.Runtime.InteropServices.Marshal.GetPInvokeErrorMessage(errno)}.", inner),
    };
}
