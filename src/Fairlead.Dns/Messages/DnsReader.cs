using System.Buffers.Binary;

namespace Fairlead.Dns.Messages;

/// <summary>Reads a message front to back; every read is checked against the end. Names may point back into what was read.</summary>
internal ref struct DnsReader(ReadOnlySpan<byte> message)
{
    private readonly ReadOnlySpan<byte> message = message;
    private int end = message.Length;

    public int Position { get; private set; }

    public readonly int Remaining => end - Position;

    public byte ReadByte() => Take(1)[0];

    public ushort ReadUInt16() => BinaryPrimitives.ReadUInt16BigEndian(Take(2));

    public uint ReadUInt32() => BinaryPrimitives.ReadUInt32BigEndian(Take(4));

    public byte[] ReadBytes(int count) => Take(count).ToArray();

    public void Skip(int count) => Take(count);

    /// <summary>Narrows the reader to the next <paramref name="count"/> octets until <see cref="Leave"/>.</summary>
    /// <returns>The end before, for <see cref="Leave"/>.</returns>
    public int Enter(int count)
    {
        if (count > Remaining)
        {
            DnsFormatException.Throw("record data is cut");
        }

        var outer = end;
        end = Position + count;
        return outer;
    }

    public void Leave(int outer)
    {
        if (Position != end)
        {
            DnsFormatException.Throw("record data is longer than its content");
        }

        end = outer;
    }

    /// <summary>
    /// A name, following compression pointers (RFC 1035 §4.1.4). A pointer must lead to before the labels that it continues, so each jump goes
    /// further back and a loop can't be.
    /// </summary>
    public DnsName ReadName()
    {
        Span<byte> wire = stackalloc byte[DnsName.MaxWireLength];
        int length = 0, at = Position, floor = Position, limit = end, after = -1;
        while (true)
        {
            if (at >= limit)
            {
                DnsFormatException.Throw("name is cut");
            }

            int octet = message[at];
            switch (octet & 0xc0)
            {
                case 0x00:
                    if (at + 1 + octet > limit || length + 1 + octet > (octet == 0 ? DnsName.MaxWireLength : DnsName.MaxWireLength - 1))
                    {
                        DnsFormatException.Throw("name is cut or too long");
                    }

                    message.Slice(at, octet + 1).CopyTo(wire[length..]);
                    length += octet + 1;
                    at += octet + 1;
                    if (octet == 0)
                    {
                        Position = after < 0 ? at : after;
                        return DnsName.FromWire(wire[..length]);
                    }

                    break;
                case 0xc0:
                    if (at + 2 > limit)
                    {
                        DnsFormatException.Throw("name is cut");
                    }

                    var target = BinaryPrimitives.ReadUInt16BigEndian(message[at..]) & 0x3fff;
                    if (target >= floor || target < DnsMessage.HeaderLength)
                    {
                        DnsFormatException.Throw("name points forward or into the header");
                    }

                    after = after < 0 ? at + 2 : after;
                    (at, limit, floor) = (target, floor, target);
                    break;
                default:
                    DnsFormatException.Throw("unknown label type");
                    break;
            }
        }
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > Remaining)
        {
            DnsFormatException.Throw("message is cut");
        }

        var taken = message.Slice(Position, count);
        Position += count;
        return taken;
    }
}
