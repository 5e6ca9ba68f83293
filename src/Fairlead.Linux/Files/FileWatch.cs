using System.Runtime.CompilerServices;
using System.Text;
using System.Threading.Channels;
using Fairlead.Linux.Native;
using Fairlead.Platform;
using Fairlead.Platform.Files;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Files;

/// <summary>
/// Watches one file by inotify(7): its directory for names that come and go, the file itself for writes (a bind-mounted file tells its
/// own directory nothing), and the same for each symlink on the way. One thread per watch.
/// </summary>
internal static class FileWatch
{
    // Of a directory: IN_CREATE, IN_MOVED_TO, IN_MOVED_FROM, IN_DELETE, IN_ONLYDIR. Of the file: IN_MODIFY, IN_CLOSE_WRITE, IN_ATTRIB.
    private const uint OfDirectory = 0x100 | 0x80 | 0x40 | 0x200 | 0x01000000;
    private const uint OfFile = 0x2 | 0x8 | 0x4;
    private const uint Overflow = 0x4000;

    /// <summary>As many as the kernel follows.</summary>
    private const int MaxLinks = 40;

    public static async IAsyncEnumerable<HostFileChanged> RunAsync(string path, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var inotify = Libc.InotifyOpen(Libc.InotifyCloseOnExec | Libc.InotifyNonBlocking);
        using var stop = Libc.OpenEvent(0, Libc.EventCloseOnExec);
        if (inotify.IsInvalid || stop.IsInvalid)
        {
            throw Errno.Failure($"can't watch {path}");
        }

        // One slot: a change that nobody has fetched yet stands for those after it.
        var changes = Channel.CreateBounded<HostFileChanged>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        var watches = new Dictionary<int, string?>();
        Watch(inotify, path, watches);
        var thread = Task.Factory.StartNew(
            () => Run(inotify, stop, path, watches, changes.Writer), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            await foreach (var change in changes.Reader.ReadAllAsync(cancellationToken))
            {
                yield return change;
            }
        }
        finally
        {
            Signal(stop);
            await thread;
        }
    }

    private static void Run(SafeFileHandle inotify, SafeFileHandle stop, string path, Dictionary<int, string?> watches, ChannelWriter<HostFileChanged> changes)
    {
        try
        {
            while (WaitForEvent(inotify, stop))
            {
                if (ReadEvents(inotify, watches))
                {
                    // Before the change is told: what happens after that must be seen. The same inode gets no second watch.
                    Watch(inotify, path, watches);
                    changes.TryWrite(default);
                }
            }

            changes.TryComplete();
        }
        catch (Exception exception)
        {
            changes.TryComplete(exception);
        }
    }

    /// <summary>
    /// Watches each directory on the way with the name that matters there, and the file; lets go what is no longer on the way. A
    /// descriptor that isn't in <paramref name="watches"/> is a stale one.
    /// </summary>
    private static void Watch(SafeFileHandle inotify, string path, Dictionary<int, string?> watches)
    {
        var before = watches.Keys.ToList();
        watches.Clear();
        var hop = path;
        for (var link = 0; link < MaxLinks; link++)
        {
            var directory = Path.GetDirectoryName(hop)!;
            var watch = Libc.InotifyAdd(inotify, directory, OfDirectory);
            if (watch < 0 && link == 0)
            {
                throw FileFailure.Of(Errno.Last, directory, "watch");
            }

            if (watch < 0)
            {
                return; // a link into a directory that isn't there
            }

            // Two hops in one directory: any name there counts.
            watches[watch] = watches.TryGetValue(watch, out var name) && name != Path.GetFileName(hop) ? null : Path.GetFileName(hop);
            if (new FileInfo(hop).LinkTarget is not { } target)
            {
                break;
            }

            hop = Path.GetFullPath(target, directory);
        }

        var own = Libc.InotifyAdd(inotify, hop, OfFile);
        if (own >= 0)
        {
            watches[own] = null;
        }

        foreach (var stale in before.Where(watch => !watches.ContainsKey(watch)))
        {
            // Fails for those that the kernel dropped together with their file.
            _ = Libc.InotifyRemove(inotify, stale);
        }
    }

    private static unsafe bool WaitForEvent(SafeFileHandle inotify, SafeFileHandle stop)
    {
        var entries = stackalloc Libc.PollEntry[2];
        entries[0] = new Libc.PollEntry { File = (int)inotify.DangerousGetHandle(), Events = Libc.PollIn };
        entries[1] = new Libc.PollEntry { File = (int)stop.DangerousGetHandle(), Events = Libc.PollIn };
        while (Libc.Poll(entries, 2, -1) < 0)
        {
            if (Errno.Last != Errno.Interrupted)
            {
                throw Errno.Failure("can't wait for file changes");
            }
        }

        return entries[1].Returned == 0;
    }

    /// <summary>Whether one of them matters. struct inotify_event: watch, mask, cookie, length of the name, then the name, padded with zeros.</summary>
    private static unsafe bool ReadEvents(SafeFileHandle inotify, Dictionary<int, string?> watches)
    {
        const int Header = 16;
        var buffer = stackalloc byte[4096];
        var matters = false;
        while (true)
        {
            var length = Libc.Read(inotify, buffer, 4096);
            if (length <= 0)
            {
                return length < 0 && Errno.Last is not (Errno.Again or Errno.Interrupted) ? throw Errno.Failure("can't read file changes") : matters;
            }

            for (var at = 0; at < length;)
            {
                var watch = *(int*)(buffer + at);
                var mask = *(uint*)(buffer + at + 4);
                var nameLength = *(int*)(buffer + at + 12);
                var name = Encoding.UTF8.GetString(buffer + at + Header, nameLength).TrimEnd('\0');
                matters |= (mask & Overflow) != 0 || (watches.TryGetValue(watch, out var wanted) && (wanted is null || wanted == name));
                at += Header + nameLength;
            }
        }
    }

    private static unsafe void Signal(SafeFileHandle stop)
    {
        ulong one = 1;
        if (Libc.Write(stop, (byte*)&one, sizeof(ulong)) != sizeof(ulong))
        {
            throw Errno.Failure("can't stop a file watch");
        }
    }
}
