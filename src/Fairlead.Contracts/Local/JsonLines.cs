using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Fairlead.Contracts.Local;

/// <summary>Newline-delimited JSON on a byte stream.</summary>
public static class JsonLines
{
    /// <summary>Ends with the stream; what follows the last line break is dropped, as a sender that was killed leaves it.</summary>
    /// <param name="maxLine">Bytes of one line at most.</param>
    /// <exception cref="InvalidDataException">A line is too long, or not a <typeparamref name="T"/>.</exception>
    /// <exception cref="IOException">The connection broke.</exception>
    public static async IAsyncEnumerable<T> ReadAsync<T>(Stream stream, JsonTypeInfo<T> type, int maxLine, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var reader = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));
        while (true)
        {
            var result = await reader.ReadAsync(cancellationToken);
            var buffer = result.Buffer;
            while (buffer.PositionOf((byte)'\n') is { } end)
            {
                var line = buffer.Slice(0, end);
                yield return line.Length <= maxLine ? Parse(line, type) : throw TooLong(maxLine);
                buffer = buffer.Slice(buffer.GetPosition(1, end));
            }

            if (buffer.Length > maxLine)
            {
                throw TooLong(maxLine);
            }

            reader.AdvanceTo(buffer.Start, buffer.End);
            if (result.IsCompleted)
            {
                await reader.CompleteAsync();
                yield break;
            }
        }
    }

    /// <summary>One line, in one write.</summary>
    public static async Task WriteAsync<T>(Stream stream, T value, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        byte[] line = [.. JsonSerializer.SerializeToUtf8Bytes(value, type), (byte)'\n'];
        await stream.WriteAsync(line, cancellationToken);
        await stream.FlushAsync(cancellationToken);
    }

    private static InvalidDataException TooLong(int maxLine) => new($"A line has more than {maxLine} bytes.");

    private static T Parse<T>(ReadOnlySequence<byte> line, JsonTypeInfo<T> type)
    {
        try
        {
            var json = new Utf8JsonReader(line);
            return JsonSerializer.Deserialize(ref json, type) ?? throw new InvalidDataException("A line holds null.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"A line is no {typeof(T).Name}: {e.Message}", e);
        }
    }
}
