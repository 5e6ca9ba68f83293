using System.Globalization;
using System.Text;
using Fairlead.Sandbox.ApiServer;

namespace Fairlead.Sandbox.Nodes;

/// <summary>
/// The output of one run of a container, in a file of lines <c>TIME STREAM F|P TEXT</c> as the CRI writes them (P: the line goes on).
/// The file and its predecessor are bounded to 10 MiB each, so that a chatty pod cannot fill the disk.
/// </summary>
internal sealed class ContainerLog(string path, TimeProvider time) : IDisposable
{
    private const int MaxFile = 10 << 20;
    private const int MaxLine = 16 << 10;

    private readonly Lock gate = new();
    private readonly Dictionary<string, List<byte>> pending = [];
    private FileStream file = OpenFile(path);
    private TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int generation;
    private bool ended;

    /// <summary>Takes in bytes as they come from the container's <c>stdout</c> or <c>stderr</c>.</summary>
    internal void Append(string stream, ReadOnlySpan<byte> chunk)
    {
        lock (gate)
        {
            if (!pending.TryGetValue(stream, out var line))
            {
                pending[stream] = line = [];
            }

            foreach (var value in chunk)
            {
                if (value == '\n')
                {
                    WriteLine(stream, line, 'F');
                }
                else
                {
                    line.Add(value);
                    if (line.Count == MaxLine)
                    {
                        WriteLine(stream, line, 'P');
                    }
                }
            }

            file.Flush();
            Announce();
        }
    }

    /// <summary>No more will come: followers come to their end.</summary>
    internal void Complete()
    {
        lock (gate)
        {
            foreach (var (stream, line) in pending.Where(p => p.Value.Count > 0))
            {
                WriteLine(stream, line, 'P');
            }

            ended = true;
            file.Flush();
            Announce();
        }
    }

    /// <summary>Copies what <paramref name="options"/> select into <paramref name="to"/>, and follows when asked.</summary>
    internal async Task CopyToAsync(Stream to, LogOptions options, CancellationToken cancellationToken)
    {
        var since = options.SinceSeconds is { } seconds ? time.GetUtcNow().AddSeconds(-seconds) : DateTimeOffset.MinValue;
        FileStream reader;
        int reading;
        byte[] old;
        lock (gate)
        {
            old = File.Exists(path + ".1") ? File.ReadAllBytes(path + ".1") : [];
            reader = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            reading = generation;
        }

        try
        {
            var lines = new LogLines();
            var first = new List<byte[]>(lines.Take(old));
            while (true)
            {
                Task wait;
                bool atEnd, rotated;
                lock (gate)
                {
                    wait = changed.Task;
                    atEnd = ended;
                    rotated = generation != reading;
                }

                var news = await ReadToEndAsync(reader, lines, cancellationToken);
                if (first is not null)
                {
                    news = [.. Tail([.. first, .. news], options.TailLines)];
                    first = null;
                }

                foreach (var line in news)
                {
                    if (LogLines.Format(line, since, options.Timestamps) is { } text)
                    {
                        await to.WriteAsync(text, cancellationToken);
                    }
                }

                if (rotated)
                {
                    await reader.DisposeAsync();
                    lock (gate)
                    {
                        reader = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
                        reading = generation;
                    }

                    continue;
                }

                if (!options.Follow || atEnd)
                {
                    return;
                }

                await to.FlushAsync(cancellationToken);
                await wait.WaitAsync(cancellationToken);
            }
        }
        finally
        {
            await reader.DisposeAsync();
        }
    }

    internal void Delete()
    {
        Dispose();
        File.Delete(path);
        File.Delete(path + ".1");
    }

    public void Dispose() => file.Dispose();

    private static IEnumerable<byte[]> Tail(List<byte[]> lines, int? count) => count is { } n ? lines.Skip(Math.Max(0, lines.Count - n)) : lines;

    private static async Task<List<byte[]>> ReadToEndAsync(FileStream reader, LogLines lines, CancellationToken cancellationToken)
    {
        var result = new List<byte[]>();
        var buffer = new byte[64 << 10];
        int read;
        while ((read = await reader.ReadAsync(buffer, cancellationToken)) > 0)
        {
            result.AddRange(lines.Take(buffer.AsSpan(0, read)));
        }

        return result;
    }

    private static FileStream OpenFile(string path) => new(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);

    private void WriteLine(string stream, List<byte> line, char tag)
    {
        var head = string.Create(CultureInfo.InvariantCulture, $"{time.GetUtcNow():yyyy-MM-dd'T'HH:mm:ss.fffffff'00Z'} {stream} {tag} ");
        file.Write(Encoding.ASCII.GetBytes(head));
        file.Write([.. line, (byte)'\n']);
        line.Clear();
        if (file.Position < MaxFile)
        {
            return;
        }

        file.Dispose();
        File.Move(path, path + ".1", overwrite: true);
        file = OpenFile(path);
        generation++;
    }

    private void Announce()
    {
        var done = changed;
        changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        done.TrySetResult();
    }
}

/// <summary>Cuts the bytes of a log file into lines and turns a line into what <c>kubectl logs</c> shows.</summary>
internal sealed class LogLines
{
    private readonly List<byte> rest = [];

    internal List<byte[]> Take(ReadOnlySpan<byte> bytes)
    {
        var lines = new List<byte[]>();
        while (bytes.IndexOf((byte)'\n') is >= 0 and var end)
        {
            rest.AddRange(bytes[..end]);
            lines.Add([.. rest]);
            rest.Clear();
            bytes = bytes[(end + 1)..];
        }

        rest.AddRange(bytes);
        return lines;
    }

    /// <summary>Null when the line is older than <paramref name="since"/>.</summary>
    internal static byte[]? Format(ReadOnlySpan<byte> line, DateTimeOffset since, bool timestamps)
    {
        var afterTime = line.IndexOf((byte)' ');
        var afterStream = afterTime + 1 + line[(afterTime + 1)..].IndexOf((byte)' ');
        var time = line[..afterTime];
        if (since > DateTimeOffset.MinValue
            && DateTimeOffset.Parse(Encoding.ASCII.GetString(time[..^3]) + "Z", CultureInfo.InvariantCulture) < since)
        {
            return null;
        }

        var whole = line[afterStream + 1] == 'F';
        var text = line[(afterStream + 3)..];
        return [.. timestamps ? [.. time, (byte)' '] : ReadOnlySpan<byte>.Empty, .. text, .. whole ? "\n"u8 : default];
    }
}
