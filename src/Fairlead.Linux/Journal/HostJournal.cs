using System.Text;
using Fairlead.Linux.Files;
using Fairlead.Platform;
using Fairlead.Platform.Journal;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Journal;

/// <summary>The journal as a text file of checksummed lines, appended and synchronised one by one. Owns the file and its lock.</summary>
internal sealed class HostJournal : IHostJournal
{
    /// <summary>Lines of changes that are undone are left out by a rewrite once the file is larger, bytes.</summary>
    private const int RewriteLength = 64 << 10;

    private readonly Lock access = new();
    private readonly string path;
    private readonly FileLock owner;
    private readonly SortedDictionary<long, HostChange> pending = [];
    private SafeFileHandle file;
    private long length;
    private long lastId;

    private HostJournal(string path, FileLock owner)
    {
        this.path = path;
        this.owner = owner;
        if (File.Exists(path))
        {
            Load(File.ReadAllBytes(path));
        }

        file = Rewrite();
    }

    public int DamagedLines { get; private set; }

    public IReadOnlyList<HostChange> Pending
    {
        get
        {
            lock (access)
            {
                return [.. pending.Values];
            }
        }
    }

    /// <exception cref="HostBusyException">Another process has it open.</exception>
    /// <exception cref="HostException">It can't be read or written.</exception>
    public static HostJournal Open(string path)
    {
        try
        {
            Durable.CreatePrivateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            var owner = FileLock.Acquire(path + ".lock", "The journal of host changes");
            try
            {
                return new HostJournal(path, owner);
            }
            catch
            {
                owner.Dispose();
                throw;
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw FileFailure.Of(exception, path, "open");
        }
    }

    public HostChange Record(string kind, string subject)
    {
        ArgumentException.ThrowIfNullOrEmpty(kind);
        ArgumentException.ThrowIfNullOrEmpty(subject);
        lock (access)
        {
            var change = new HostChange(lastId + 1, kind, subject);
            Append(new JournalLine(change.Id, change));
            lastId++;
            pending.Add(change.Id, change);
            return change;
        }
    }

    public void MarkUndone(HostChange change)
    {
        ArgumentNullException.ThrowIfNull(change);
        lock (access)
        {
            if (!pending.ContainsKey(change.Id))
            {
                return;
            }

            Append(new JournalLine(change.Id, null));
            pending.Remove(change.Id);
            if (length > RewriteLength)
            {
                ReplaceFile();
            }
        }
    }

    public void Dispose()
    {
        file.Dispose();
        owner.Dispose();
    }

    /// <summary>A line cut by a kill is the last and has no line feed: its change was never begun, so it doesn't count.</summary>
    private void Load(byte[] content)
    {
        var lines = Encoding.UTF8.GetString(content).Split('\n');
        foreach (var text in lines.SkipLast(1))
        {
            if (!JournalLine.TryParse(text, out var line))
            {
                DamagedLines++;
                continue;
            }

            lastId = Math.Max(lastId, line.Value.Id);
            if (line.Value.Intent is { } change)
            {
                pending[change.Id] = change;
            }
            else
            {
                pending.Remove(line.Value.Id);
            }
        }
    }

    private void Append(JournalLine line)
    {
        var octets = Encoding.UTF8.GetBytes(line.Format());
        try
        {
            RandomAccess.Write(file, octets, length);
            RandomAccess.FlushToDisk(file);
            length += octets.Length;
        }
        catch (IOException exception)
        {
            // What was written of the line is overwritten by the next one. Its rest would be a damaged line, so it is cut off if that goes.
            try
            {
                RandomAccess.SetLength(file, length);
            }
            catch (IOException)
            {
                // The first error is the one to tell.
            }

            throw FileFailure.Of(exception, path, "write");
        }
    }

    private void ReplaceFile()
    {
        try
        {
            var replaced = file;
            file = Rewrite();
            replaced.Dispose();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw FileFailure.Of(exception, path, "write");
        }
    }

    /// <summary>A new file with only what is pending, renamed over the old one: at any moment one of the two is whole.</summary>
    private SafeFileHandle Rewrite()
    {
        var temporary = path + ".new";
        var content = Encoding.UTF8.GetBytes(string.Concat(pending.Values.Select(change => new JournalLine(change.Id, change).Format())));
        File.Delete(temporary);
        using (var created = new FileStream(temporary, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            created.Write(content);
            created.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
        Durable.SynchronizeDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        length = content.Length;
        return File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read);
    }
}
