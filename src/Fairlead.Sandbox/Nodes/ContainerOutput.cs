using System.Collections.Immutable;
using System.IO.Pipelines;

namespace Fairlead.Sandbox.Nodes;

/// <summary>Reads what a container prints, into its log and to those who are attached. A slow attached reader slows the container down.</summary>
internal sealed class ContainerOutput(ContainerLog log)
{
    private const int ChunkSize = 32 << 10;

    private ImmutableList<(string Stream, PipeWriter Writer)> attached = [];

    /// <summary>Until the stream ends, which is when its last holder has ended.</summary>
    internal async Task PumpAsync(string name, Stream from)
    {
        var buffer = new byte[ChunkSize];
        int read;
        while ((read = await from.ReadAsync(buffer)) > 0)
        {
            log.Append(name, buffer.AsSpan(0, read));
            foreach (var (_, writer) in attached.Where(a => a.Stream == name))
            {
                await writer.WriteAsync(buffer.AsMemory(0, read));
            }
        }
    }

    /// <summary>A stream of what is printed from now on.</summary>
    internal Stream Attach(string name)
    {
        var pipe = new Pipe();
        ImmutableInterlocked.Update(ref attached, list => list.Add((name, pipe.Writer)));
        return pipe.Reader.AsStream();
    }

    internal async Task CompleteAsync()
    {
        log.Complete();
        foreach (var (_, writer) in Interlocked.Exchange(ref attached, []))
        {
            await writer.CompleteAsync();
        }
    }
}
