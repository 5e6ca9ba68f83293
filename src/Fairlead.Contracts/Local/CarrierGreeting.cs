using System.Buffers.Binary;
using System.Text;

namespace Fairlead.Contracts.Local;

/// <summary>What a companion says first on a carrier's connection: eight bytes id and two bytes length, both big-endian, then the server's URL in UTF-8.</summary>
/// <param name="Id">Of the <see cref="CompanionRequest.Open"/> that asked for it.</param>
/// <param name="Server">URL of the API server that it goes through, for people.</param>
public sealed record CarrierGreeting(long Id, string Server)
{
    private const int HeaderSize = 10;

    /// <summary>Bytes of a URL that a person still reads.</summary>
    private const int MaxServer = 1024;

    /// <exception cref="IOException">The connection broke.</exception>
    public async Task WriteAsync(Stream stream, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var url = Encoding.UTF8.GetBytes(Server);
        var length = Math.Min(url.Length, MaxServer);
        var greeting = new byte[HeaderSize + length];
        BinaryPrimitives.WriteInt64BigEndian(greeting, Id);
        BinaryPrimitives.WriteUInt16BigEndian(greeting.AsSpan(8), (ushort)length);
        url.AsSpan(0, length).CopyTo(greeting.AsSpan(HeaderSize));
        await stream.WriteAsync(greeting, cancellationToken);
    }

    /// <summary>Takes no byte that follows it.</summary>
    /// <exception cref="IOException">The connection broke or ended.</exception>
    /// <exception cref="InvalidDataException">It makes no sense.</exception>
    public static async Task<CarrierGreeting> ReadAsync(Stream stream, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var header = new byte[HeaderSize];
        await stream.ReadExactlyAsync(header, cancellationToken);
        var length = BinaryPrimitives.ReadUInt16BigEndian(header.AsSpan(8));
        if (length > MaxServer)
        {
            throw new InvalidDataException($"A greeting of {length} bytes.");
        }

        var url = new byte[length];
        await stream.ReadExactlyAsync(url, cancellationToken);
        return new CarrierGreeting(BinaryPrimitives.ReadInt64BigEndian(header), Encoding.UTF8.GetString(url));
    }
}
