using System.Runtime.InteropServices;

namespace Fairlead.Dns.Messages;

/// <summary>Octets as keys of a table, looked up by spans. Names go in lower case (<see cref="DnsName.CopyLower"/>).</summary>
internal sealed class OctetComparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
{
    public static readonly OctetComparer Instance = new();

    private static readonly int Seed = Random.Shared.Next();

    public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

    public int GetHashCode(byte[] obj) => GetHashCode(obj.AsSpan());

    public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

    /// <summary>Seeded, because senders of queries choose the octets.</summary>
    public int GetHashCode(ReadOnlySpan<byte> alternate)
    {
        var hash = (ulong)(uint)Seed + ((ulong)alternate.Length << 32);
        foreach (var eight in MemoryMarshal.Cast<byte, ulong>(alternate))
        {
            hash = ulong.RotateLeft((hash ^ eight) * 0x9e3779b97f4a7c15, 29);
        }

        foreach (var octet in alternate[(alternate.Length & ~7)..])
        {
            hash = ulong.RotateLeft((hash ^ octet) * 0x9e3779b97f4a7c15, 29);
        }

        return (int)(hash ^ (hash >> 32));
    }

    public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();
}
