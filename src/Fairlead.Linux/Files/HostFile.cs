using Fairlead.Linux.Native;
using Fairlead.Platform;
using Fairlead.Platform.Files;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Files;

/// <summary>A system file, replaced by rename(2) where that works and otherwise written in place.</summary>
internal sealed class HostFile : IHostFile
{
    /// <summary>How often an edit is made anew because somebody else wrote meanwhile.</summary>
    private const int MaxRaces = 10;

    private static readonly TimeSpan LockWait = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LockRetry = TimeSpan.FromMilliseconds(10);

    private readonly string lockPath;
    private readonly InPlaceWriter inPlace;
    private readonly SemaphoreSlim updating = new(1);

    private HostFile(string path, string lockPath, InPlaceWriter inPlace)
    {
        Path = path;
        this.lockPath = lockPath;
        this.inPlace = inPlace;
    }

    public string Path { get; }

    /// <param name="path">Of the file.</param>
    /// <param name="stateDirectory">Where the write-ahead copy lives: it must survive a power cut.</param>
    /// <param name="runDirectory">Where the lock lives.</param>
    public static async Task<HostFile> OpenAsync(string path, string stateDirectory, string runDirectory, CancellationToken cancellationToken)
    {
        var full = System.IO.Path.GetFullPath(path);
        var name = Uri.EscapeDataString(full);
        var state = System.IO.Path.Combine(stateDirectory, "files");
        var locks = System.IO.Path.Combine(runDirectory, "locks");
        try
        {
            Durable.CreatePrivateDirectory(state);
            Durable.CreatePrivateDirectory(locks);
            var file = new HostFile(full, System.IO.Path.Combine(locks, name + ".lock"), new InPlaceWriter(System.IO.Path.Combine(state, name)));
            using (await file.LockAsync(cancellationToken))
            {
                file.inPlace.Recover();
            }

            return file;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw FileFailure.Of(exception, full, "open");
        }
    }

    public Task<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellationToken) =>
        Task.Run(() => (ReadOnlyMemory<byte>)Read(Resolve()).Content, cancellationToken);

    public async Task<bool> UpdateAsync(Func<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>> edit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(edit);
        await updating.WaitAsync(cancellationToken);
        try
        {
            using var held = await LockAsync(cancellationToken);
            return await Task.Run(() => Update(edit, cancellationToken), cancellationToken);
        }
        finally
        {
            updating.Release();
        }
    }

    public IAsyncEnumerable<HostFileChanged> WatchAsync(CancellationToken cancellationToken) => FileWatch.RunAsync(Path, cancellationToken);

    public void Dispose() => updating.Dispose();

    private bool Update(Func<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>> edit, CancellationToken cancellationToken)
    {
        for (var race = 0; race < MaxRaces; race++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var target = Resolve();
            var (content, status) = Read(target);
            var edited = edit(content);
            if (edited.Span.SequenceEqual(content))
            {
                return false;
            }

            if (edited.Length > IHostFile.MaxLength)
            {
                throw new HostFileException(HostFileProblem.TooLarge, $"Can't write {Path}: it would be longer than {IHostFile.MaxLength >> 20} MiB.");
            }

            if (status.IsImmutable)
            {
                throw new HostFileException(HostFileProblem.ReadOnly, $"Can't write {Path}: it is immutable.") { Hint = $"chattr -i {target}" };
            }

            bool Unchanged() => Libc.Status(target, out var now) == 0 && now.Stamp == status.Stamp && Resolve() == target;
            try
            {
                // A rename would leave a bind mount behind (EBUSY) and part hard links.
                var outcome = status.IsMountRoot || status.Links > 1 ? ReplaceOutcome.Impossible : AtomicReplace.Try(target, edited.Span, status, Unchanged);
                if (outcome == ReplaceOutcome.Impossible)
                {
                    outcome = inPlace.Write(target, content, edited, Unchanged);
                }

                if (outcome == ReplaceOutcome.Done)
                {
                    return true;
                }
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                throw FileFailure.Of(exception, Path, "write");
            }
        }

        throw new HostFileException(HostFileProblem.Contended, $"Can't write {Path}: another program keeps changing it.");
    }

    /// <summary>The path behind all symlinks.</summary>
    private string Resolve()
    {
        if (Libc.Status(Path, out _) != 0)
        {
            throw FileFailure.Of(Errno.Last, Path, "read");
        }

        try
        {
            return File.ResolveLinkTarget(Path, returnFinalTarget: true)?.FullName ?? Path;
        }
        catch (IOException exception)
        {
            throw FileFailure.Of(exception, Path, "read");
        }
    }

    private (byte[] Content, Libc.FileStatus Status) Read(string target)
    {
        // Checked before it is opened: opening a FIFO waits for a writer.
        if (Libc.Status(target, out var status) != 0)
        {
            throw FileFailure.Of(Errno.Last, Path, "read");
        }

        if (!status.IsRegular)
        {
            throw new HostFileException(HostFileProblem.WrongKind, $"Can't read {Path}: it isn't a regular file.");
        }

        try
        {
            using var file = Durable.Open(target, Libc.OpenReadOnly, "read");
            while (true)
            {
                if (Libc.Status(file, out var before) != 0)
                {
                    throw FileFailure.Of(Errno.Last, Path, "read");
                }

                if (before.Size > IHostFile.MaxLength)
                {
                    throw new HostFileException(HostFileProblem.TooLarge, $"Can't read {Path}: it is longer than {IHostFile.MaxLength >> 20} MiB.");
                }

                var content = new byte[before.Size];
                var length = ReadWhole(file, content);
                if (length == content.Length && Libc.Status(file, out var after) == 0 && after.Stamp == before.Stamp)
                {
                    return (content, after with { Attributes = status.Attributes });
                }
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw FileFailure.Of(exception, Path, "read");
        }
    }

    private static int ReadWhole(SafeFileHandle file, Span<byte> content)
    {
        var length = 0;
        while (length < content.Length && RandomAccess.Read(file, content[length..], length) is var read and > 0)
        {
            length += read;
        }

        return length;
    }

    private async Task<FileLock> LockAsync(CancellationToken cancellationToken)
    {
        for (var waited = TimeSpan.Zero; waited < LockWait; waited += LockRetry)
        {
            if (FileLock.TryAcquire(lockPath) is { } held)
            {
                return held;
            }

            await Task.Delay(LockRetry, cancellationToken);
        }

        return FileLock.Acquire(lockPath, Path);
    }
}
