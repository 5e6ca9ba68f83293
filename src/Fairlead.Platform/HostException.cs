namespace Fairlead.Platform;

/// <summary>The host refused something. The message is for people: what, and why; <see cref="Hint"/> is the next thing to do, when there is one.</summary>
public class HostException(string message, Exception? innerException = null) : Exception(message, innerException)
{
    public string? Hint { get; init; }
}

/// <summary>Another process holds the lock: usually a daemon that runs already.</summary>
public sealed class HostBusyException(string message, int? holderPid) : HostException(message)
{
    public int? HolderPid { get; } = holderPid;
}

/// <summary>This process lacks the right (root, a capability, a locked-down kernel).</summary>
public sealed class HostDeniedException(string message, Exception? innerException = null) : HostException(message, innerException);

/// <summary>A system file can't be read or changed. Nothing of it was changed.</summary>
public sealed class HostFileException(HostFileProblem problem, string message, Exception? innerException = null)
    : HostException(message, innerException)
{
    public HostFileProblem Problem { get; } = problem;
}

public enum HostFileProblem
{
    Other,

    /// <summary>It doesn't exist (or a symlink's target doesn't, or its directory doesn't).</summary>
    Missing,

    /// <summary>A read-only file system or an immutable file.</summary>
    ReadOnly,

    /// <summary>The file system or the quota is full.</summary>
    NoSpace,

    /// <summary>It isn't a regular file, or symlinks loop.</summary>
    WrongKind,

    /// <summary>Larger than <see cref="Files.IHostFile.MaxLength"/>.</summary>
    TooLarge,

    /// <summary>Somebody else kept changing it while we tried.</summary>
    Contended,
}
