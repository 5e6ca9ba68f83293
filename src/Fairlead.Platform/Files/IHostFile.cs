namespace Fairlead.Platform.Files;

/// <summary>
/// A system text file that others edit too, such as the hosts file. Changes are all or nothing for every reader where
/// the host can do that (a new file renamed over the old one, with its owner, mode and extended attributes), and in place with a
/// write-ahead copy where it can't (a bind mount): a kill at any moment leaves the old or the new content, at the latest after
/// the next open. Symlinks are followed and stay symlinks.
/// </summary>
public interface IHostFile : IDisposable
{
    /// <summary>A longer file is refused: 64 MiB.</summary>
    public const int MaxLength = 64 << 20;

    /// <summary>The path as given, before symlinks.</summary>
    string Path { get; }

    /// <exception cref="HostFileException">Missing, unreadable, not a regular file, too large.</exception>
    /// <exception cref="HostDeniedException">No permission.</exception>
    Task<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Reads, lets <paramref name="edit"/> compute the new content, and replaces, under a lock between processes that use this type. Programs
    /// that don't know the lock are noticed: when the file changed meanwhile, the edit runs again on the new content, so it must be pure.
    /// </summary>
    /// <param name="edit">Old content to new content. Returning equal bytes changes nothing on disk.</param>
    /// <returns>Whether the file was written. It is on disk (fsync) by then.</returns>
    /// <exception cref="HostFileException">The file is as it was.</exception>
    /// <exception cref="HostDeniedException">No permission; the file is as it was.</exception>
    Task<bool> UpdateAsync(Func<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>> edit, CancellationToken cancellationToken);

    /// <summary>
    /// Yields once whenever the file may have changed since the last yield, whoever changed it (this object too) and however: written
    /// in place, replaced, deleted and made again, its symlink re-pointed. Changes in a burst may be folded into one. Ends only by cancellation.
    /// </summary>
    IAsyncEnumerable<HostFileChanged> WatchAsync(CancellationToken cancellationToken);
}

/// <summary>The file may have changed: read it.</summary>
public readonly record struct HostFileChanged;
