using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Fairlead.Dns.Messages;

/// <summary>Writes a message into a span. A write beyond its end sets <see cref="Overflowed"/> and changes nothing more.</summary>
internal ref struct DnsWriter(Span<byte> destination)
{
    /// <summary>Names remembered as targets of pointers: searched one by one, so a bound keeps long messages linear.</summary>
    private const int MaxTargets = 64;

    private readonly Span<byte> destination = destination;
    private Targets targets;
    private int targetCount;

    public int Length { get; private set; }

    public bool Overflowed { get; private set; }

    public void WriteByte(byte value)
    {
        if (Reserve(1, out var at))
        {
            destination[at] = value;
        }
    }

    public void WriteUInt16(ushort value)
    {
        if (Reserve(2, out var at))
        {
            BinaryPrimitives.WriteUInt16BigEndian(destination[at..], value);
        }
    }

    public void WriteUInt32(uint value)
    {
        if (Reserve(4, out var at))
        {
            BinaryPrimitives.WriteUInt32BigEndian(destination[at..], value);
        }
    }

    public void WriteBytes(ReadOnlySpan<byte> value)
    {
        if (Reserve(value.Length, out var at))
        {
            value.CopyTo(destination[at..]);
        }
    }

    /// <summary>Leaves room for a 16-bit length that <see cref="EndLength"/> fills in.</summary>
    public int BeginLength()
    {
        WriteUInt16(0);
        return Length;
    }

    /// <exception cref="ArgumentException">More than 65 535 octets were written since.</exception>
    public readonly void EndLength(int begin)
    {
        if (Overflowed)
        {
            return;
        }

        if (Length - begin > ushort.MaxValue)
        {
            throw new ArgumentException("Record data is longer than 65535 octets.");
        }

        BinaryPrimitives.WriteUInt16BigEndian(destination[(begin - 2)..], (ushort)(Length - begin));
    }

    /// <summary>A name; with <paramref name="compress"/> its known tail becomes a pointer. Only tails of the same case are taken, so that case survives.</summary>
    public void WriteName(DnsName name, bool compress)
    {
        var wire = name.Wire;
        var at = 0;
        while (wire[at] != 0)
        {
            if (compress && Find(wire[at..]) is var target and >= 0)
            {
                WriteUInt16((ushort)(0xc000 | target));
                return;
            }

            // A pointer has 14 bits.
            if (Length <= 0x3fff && targetCount < MaxTargets && !Overflowed)
            {
                targets[targetCount++] = (ushort)Length;
            }

            WriteBytes(wire.Slice(at, wire[at] + 1));
            at += wire[at] + 1;
        }

        WriteByte(0);
    }

    private readonly int Find(ReadOnlySpan<byte> tail)
    {
        for (var i = 0; i < targetCount; i++)
        {
            if (Matches(targets[i], tail))
            {
                return targets[i];
            }
        }

        return -1;
    }

    private readonly bool Matches(int at, ReadOnlySpan<byte> tail)
    {
        while (at < Length)
        {
            int octet = destination[at];
            if (octet >= 0xc0)
            {
                at = BinaryPrimitives.ReadUInt16BigEndian(destination[at..]) & 0x3fff;
                continue;
            }

            if (octet != tail[0] || at + octet >= Length || !destination.Slice(at + 1, octet).SequenceEqual(tail.Slice(1, octet)))
            {
                return false;
            }

            if (octet == 0)
            {
                return true;
            }

            at += octet + 1;
            tail = tail[(octet + 1)..];
        }

        return false;
    }

    private bool Reserve(int count, out int at)
    {
        at = Length;
        if (Overflowed || count > destination.Length - Length)
        {
            Overflowed = true;
            return false;
        }

        Length += count;
        return true;
    }

    [InlineArray(MaxTargets)]
    private struct Targets
    {
        private ushort first;
    }
}
