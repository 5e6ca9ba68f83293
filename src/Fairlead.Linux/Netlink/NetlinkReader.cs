using System.Runtime.InteropServices;
using Fairlead.Platform;

namespace Fairlead.Linux.Netlink;

/// <summary>The messages of one datagram (struct nlmsghdr, in the order of the host's octets). Every length is checked against what is there.</summary>
internal ref struct NetlinkReader(ReadOnlySpan<byte> datagram)
{
    public const int HeaderLength = 16;

    private ReadOnlySpan<byte> rest = datagram;

    /// <returns>False at the end.</returns>
    /// <exception cref="HostException">What follows is no message.</exception>
    public bool Next(out NetlinkMessage message)
    {
        message = default;
        if (rest.IsEmpty)
        {
            return false;
        }

        if (rest.Length < HeaderLength || MemoryMarshal.Read<uint>(rest) is var length && (length < HeaderLength || length > rest.Length))
        {
            throw new HostException("A netlink message is malformed.");
        }

        message = new NetlinkMessage(
            MemoryMarshal.Read<ushort>(rest[4..]), MemoryMarshal.Read<ushort>(rest[6..]), MemoryMarshal.Read<uint>(rest[8..]), MemoryMarshal.Read<uint>(rest[12..]), rest[HeaderLength..(int)length]);
        rest = rest[Math.Min(rest.Length, (int)((length + 3) & ~3u))..];
        return true;
    }
}

/// <param name="port">Of whoever asked for what it tells; 0 in what the kernel did by itself.</param>
internal readonly ref struct NetlinkMessage(ushort type, ushort flags, uint sequence, uint port, ReadOnlySpan<byte> body)
{
    public const ushort ErrorType = 2;      // NLMSG_ERROR
    public const ushort DoneType = 3;       // NLMSG_DONE

    /// <summary>NLM_F_DUMP_INTR: something changed while it was listed.</summary>
    public const ushort Interrupted = 0x10;

    public ushort Type => type;

    public ushort Flags => flags;

    public uint Sequence => sequence;

    public uint Port => port;

    public ReadOnlySpan<byte> Body { get; } = body;

    /// <summary>The errno of an error or of the end of a list; 0 is success.</summary>
    public int Error => Body.Length >= 4 ? -MemoryMarshal.Read<int>(Body) : 0;
}

/// <summary>The attributes of a message (struct nlattr), after its fixed part.</summary>
internal ref struct AttributeReader(ReadOnlySpan<byte> attributes)
{
    private const ushort TypeMask = 0x3fff;     // NLA_TYPE_MASK: without the flags for nesting and byte order

    private ReadOnlySpan<byte> rest = attributes;

    /// <returns>False at the end, and before an attribute whose length makes no sense.</returns>
    public bool Next(out ushort type, out ReadOnlySpan<byte> value)
    {
        type = 0;
        value = default;
        if (rest.Length < 4 || MemoryMarshal.Read<ushort>(rest) is var length && (length < 4 || length > rest.Length))
        {
            return false;
        }

        type = (ushort)(MemoryMarshal.Read<ushort>(rest[2..]) & TypeMask);
        value = rest[4..length];
        rest = rest[Math.Min(rest.Length, (length + 3) & ~3)..];
        return true;
    }

    public static uint Number(ReadOnlySpan<byte> value) => value.Length >= 4 ? MemoryMarshal.Read<uint>(value) : 0;

    /// <summary>Text up to its zero.</summary>
    public static string Text(ReadOnlySpan<byte> value) => System.Text.Encoding.UTF8.GetString(value[..(value.IndexOf((byte)0) is >= 0 and var end ? end : value.Length)]);
}

/// <summary>Builds one message.</summary>
internal sealed class NetlinkWriter
{
    private readonly List<byte> bytes = [];

    /// <param name="header">The fixed part, of a length that is a multiple of four.</param>
    public NetlinkWriter(ushort type, ushort flags, ReadOnlySpan<byte> header)
    {
        Span<byte> head = stackalloc byte[NetlinkReader.HeaderLength];
        head.Clear();
        MemoryMarshal.Write(head[4..], type);
        MemoryMarshal.Write(head[6..], flags);
        bytes.AddRange(head);
        bytes.AddRange(header);
    }

    public NetlinkWriter Add(ushort type, ReadOnlySpan<byte> value)
    {
        Span<byte> head = stackalloc byte[4];
        MemoryMarshal.Write(head, (ushort)(4 + value.Length));
        MemoryMarshal.Write(head[2..], type);
        bytes.AddRange(head);
        bytes.AddRange(value);
        while (bytes.Count % 4 != 0)
        {
            bytes.Add(0);
        }

        return this;
    }

    public NetlinkWriter Add(ushort type, uint value)
    {
        Span<byte> number = stackalloc byte[4];
        MemoryMarshal.Write(number, value);
        return Add(type, number);
    }

    public byte[] ToArray(uint sequence)
    {
        var message = bytes.ToArray();
        MemoryMarshal.Write(message, (uint)message.Length);
        MemoryMarshal.Write(message.AsSpan(8), sequence);
        return message;
    }
}
