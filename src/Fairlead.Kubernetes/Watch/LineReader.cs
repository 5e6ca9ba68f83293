using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace Fairlead.Kubernetes;

/// <summary>Splits a stream into lines. Half a line at its end is no line: the connection was cut in it.</summary>
internal static class LineReader
{
    /// <summary>Each line is valid until the next is asked for; empty lines are passed over.</summary>
    /// <exception cref="InvalidDataException">A line is longer than <paramref name="maxLength"/> bytes.</exception>
    public static async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(
        Stream stream, int maxLength, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var reader = PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: 16 * 1024, leaveOpen: true));
        try
        {
            while (true)
            {
                var result = await reader.ReadAsync(cancellationToken);
                var buffer = result.Buffer;
                while (buffer.PositionOf((byte)'\n') is { } end)
                {
                    var line = buffer.Slice(0, end);
                    if (line.Length > maxLength)
                    {
                        throw TooLong(maxLength);
                    }

                    if (!line.IsEmpty)
                    {
                        yield return line.IsSingleSegment ? line.First : line.ToArray();
                    }

                    buffer = buffer.Slice(buffer.GetPosition(1, end));
                }

                if (buffer.Length > maxLength)
                {
                    throw TooLong(maxLength);
                }

                reader.AdvanceTo(buffer.Start, buffer.End);
                if (result.IsCompleted)
                {
                    yield break;
                }
            }
        }
        finally
        {
            await reader.CompleteAsync();
        }
    }

    private static InvalidDataException TooLong(int maxLength) => new($"a line is longer than {maxLength / 1024} KiB");
}
