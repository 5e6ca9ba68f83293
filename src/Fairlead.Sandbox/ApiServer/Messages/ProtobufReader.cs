using System.Buffers.Binary;

namespace Fairlead.Sandbox.ApiServer.Messages;

/// <summary>Reads the fields of one protobuf message (https://protobuf.dev/programming-guides/encoding/), checking every length.</summary>
internal ref struct ProtobufReader(ReadOnlySpan<byte> data)
{
    private ReadOnlySpan<byte> rest = data;

    /// <summary>The number of the field that was read last.</summary>
    public int Number { get; private set; }

    /// <summary>Its value when it is a varint or fixed-size number.</summary>
    public ulong Value { get; private set; }

    /// <summary>Its bytes when it is a string, bytes or a message.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    public bool IsLengthDelimited { get; private set; }

    /// <exception cref="StatusException">400: the data isn't protobuf.</exception>
    public bool Next()
    {
        if (rest.IsEmpty)
        {
            return false;
        }

        var tag = Varint();
        Number = tag >> 3 is > 0 and <= int.MaxValue ? (int)(tag >> 3) : throw Malformed();
        Bytes = default;
        Value = 0;
        IsLengthDelimited = (tag & 7) == 2;
        switch (tag & 7)
        {
            case 0:
                Value = Varint();
                break;
            case 1:
                Value = BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
                break;
            case 2:
                Bytes = Take(Varint());
                break;
            case 5:
                Value = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                break;
            default:
                throw Malformed();
        }

        return true;
    }

    public static StatusException Malformed() => Failures.BadRequest("the body of the request is no valid protobuf");

    private ulong Varint()
    {
        var value = 0UL;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = Take(1)[0];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }

        throw Malformed();
    }

    private ReadOnlySpan<byte> Take(ulong count)
    {
        if (count > (ulong)rest.Length)
        {
            throw Malformed();
        }

        var taken = rest[..(int)count];
        rest = rest[(int)count..];
        return taken;
    }
}
