using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Daemon.Spaces;

/// <summary>Reads newline-delimited catalog events. The sender is not trusted: lines are bounded, and silence ends the stream.</summary>
internal static class CatalogReader
{
    /// <summary>A service with a thousand endpoint names fits many times.</summary>
    internal const int MaxLine = 1 << 20;

    /// <summary>Several of the heartbeats that the gateway sends every few seconds.</summary>
    internal static readonly TimeSpan MaxSilence = TimeSpan.FromSeconds(20);

    /// <exception cref="InvalidDataException">A line is no event, or too long.</exception>
    /// <exception cref="TimeoutException">Nothing came for <see cref="MaxSilence"/>.</exception>
    public static async IAsyncEnumerable<CatalogEvent> ReadAsync(Stream stream, TimeProvider time, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var reader = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));
        while (true)
        {
            var result = await reader.ReadAsync(cancellationToken).AsTask().WaitAsync(MaxSilence, time, cancellationToken);
            var buffer = result.Buffer;
            while (buffer.PositionOf((byte)'\n') is { } end)
            {
                yield return Parse(buffer.Slice(0, end));
                buffer = buffer.Slice(buffer.GetPosition(1, end));
            }

            if (buffer.Length > MaxLine)
            {
                throw new InvalidDataException("The gateway sent a catalog event that is too long.");
            }

            reader.AdvanceTo(buffer.Start, buffer.End);
            if (result.IsCompleted)
            {
                await reader.CompleteAsync();
                yield break;
            }
        }
    }

    private static CatalogEvent Parse(ReadOnlySequence<byte> line)
    {
        try
        {
            var json = new Utf8JsonReader(line);
            return JsonSerializer.Deserialize(ref json, GatewayJson.Default.CatalogEvent) ?? throw new InvalidDataException("The gateway sent a catalog event that is null.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException("The gateway sent something that is no catalog event.", e);
        }
    }
}
