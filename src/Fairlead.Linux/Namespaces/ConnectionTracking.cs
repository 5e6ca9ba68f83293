using System.Buffers.Binary;
using System.Net;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Namespaces;

/// <summary>A UDP flow to a service whose packets are translated to an endpoint.</summary>
public readonly record struct TranslatedFlow(IPEndPoint Service, IPEndPoint Endpoint);

/// <summary>
/// The kernel's table of translated flows, over ctnetlink (linux/netfilter/nfnetlink_conntrack.h). Only what <c>conntrack -D</c> would
/// be needed for: a UDP client that keeps its port would otherwise be led to a vanished endpoint for as long as it sends.
/// </summary>
public static class ConnectionTracking
{
    private const int Family = 16;                  // AF_NETLINK
    private const int Raw = 3;                      // SOCK_RAW
    private const int CloseOnExec = 0x80000;        // SOCK_CLOEXEC
    private const int Netfilter = 12;               // NETLINK_NETFILTER
    private const ushort GetFlow = (1 << 8) | 1;    // NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET
    private const ushort DeleteFlow = (1 << 8) | 2; // IPCTNL_MSG_CT_DELETE
    private const ushort Request = 1;
    private const ushort Acknowledge = 4;
    private const ushort Dump = 0x300;
    private const ushort ErrorMessage = 2;          // NLMSG_ERROR
    private const ushort DoneMessage = 3;           // NLMSG_DONE
    private const int HeaderLength = 16;            // struct nlmsghdr
    private const int PrefixLength = HeaderLength + 4; // and struct nfgenmsg
    private const int TupleOriginal = 1;
    private const int TupleReply = 2;
    private const int TupleAddresses = 1;
    private const int TupleProtocol = 2;
    private const int NestedFlag = 0x8000;
    private const int Udp = 17;
    private const int NotThere = 2;                 // ENOENT

    /// <summary>Forgets these flows in a network namespace; returns how many there were.</summary>
    /// <exception cref="IOException">The kernel refused.</exception>
    public static int Forget(NetworkNamespace network, IReadOnlySet<TranslatedFlow> flows)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(flows);
        return flows.Count == 0 ? 0 : network.Run(() =>
        {
            using var socket = Open();
            var stale = Find(socket, flows);
            foreach (var tuple in stale)
            {
                Delete(socket, tuple);
            }

            return stale.Count;
        });
    }

    private static SafeFileHandle Open()
    {
        var descriptor = NamespaceCalls.Socket(Family, Raw | CloseOnExec, Netfilter);
        return descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true) : throw NamespaceCalls.Failure("cannot open a netfilter socket");
    }

    /// <summary>The original tuples, as attributes, of the flows in the table that are asked for.</summary>
    private static List<byte[]> Find(SafeFileHandle socket, IReadOnlySet<TranslatedFlow> flows)
    {
        Send(socket, GetFlow, Request | Dump, []);
        var found = new List<byte[]>();
        var buffer = new byte[64 << 10];
        while (true)
        {
            var rest = Receive(socket, buffer);
            while (rest.Length >= HeaderLength)
            {
                var (message, type, next) = Message(rest);
                rest = rest[next..];
                switch (type)
                {
                    case DoneMessage:
                        return found;
                    case ErrorMessage:
                        throw new IOException($"cannot list the translated flows (error {-Code(message.Span)})");
                    default:
                        if (Match(message.Span[Math.Min(PrefixLength, message.Length)..], flows) is { } tuple)
                        {
                            found.Add(tuple);
                        }

                        break;
                }
            }
        }
    }

    private static void Delete(SafeFileHandle socket, byte[] tuple)
    {
        Send(socket, DeleteFlow, Request | Acknowledge, tuple);
        var (message, type, _) = Message(Receive(socket, new byte[8 << 10]));
        // It may have ended by itself.
        if (type == ErrorMessage && Code(message.Span) is not 0 and not -NotThere and var code)
        {
            throw new IOException($"cannot forget a translated flow (error {-code})");
        }
    }

    /// <summary>The attribute of the original tuple, when the flow is one of those.</summary>
    internal static byte[]? Match(ReadOnlySpan<byte> attributes, IReadOnlySet<TranslatedFlow> flows)
    {
        var original = Attribute(attributes, TupleOriginal);
        var reply = Attribute(attributes, TupleReply);
        return Flow(original, reply) is { } flow && flows.Contains(flow) ? Attribute(TupleOriginal, original) : null;
    }

    private static TranslatedFlow? Flow(ReadOnlySpan<byte> original, ReadOnlySpan<byte> reply)
    {
        var there = Attribute(original, TupleProtocol);
        var back = Attribute(reply, TupleProtocol);
        if (Attribute(there, 1) is not [Udp])
        {
            return null;
        }

        // To the service: the original destination. From the endpoint: the source of the reply.
        return Address(Attribute(Attribute(original, TupleAddresses), 2), Attribute(there, 3)) is { } service
            && Address(Attribute(Attribute(reply, TupleAddresses), 1), Attribute(back, 2)) is { } endpoint
            ? new TranslatedFlow(service, endpoint)
            : null;
    }

    private static IPEndPoint? Address(ReadOnlySpan<byte> address, ReadOnlySpan<byte> port) =>
        address.Length == 4 && port.Length == 2 ? new IPEndPoint(new IPAddress(address), BinaryPrimitives.ReadUInt16BigEndian(port)) : null;

    /// <summary>The value of the first attribute of a type; empty when there is none.</summary>
    private static ReadOnlySpan<byte> Attribute(ReadOnlySpan<byte> attributes, int type)
    {
        while (attributes.Length >= 4)
        {
            var length = BinaryPrimitives.ReadUInt16LittleEndian(attributes);
            if (length < 4 || length > attributes.Length)
            {
                return default;
            }

            if ((BinaryPrimitives.ReadUInt16LittleEndian(attributes[2..]) & 0x3fff) == type)
            {
                return attributes[4..length];
            }

            attributes = attributes[Math.Min(attributes.Length, (length + 3) & ~3)..];
        }

        return default;
    }

    private static byte[] Attribute(int type, ReadOnlySpan<byte> value)
    {
        var attribute = new byte[4 + ((value.Length + 3) & ~3)];
        BinaryPrimitives.WriteUInt16LittleEndian(attribute, (ushort)(4 + value.Length));
        BinaryPrimitives.WriteUInt16LittleEndian(attribute.AsSpan(2), (ushort)(type | NestedFlag));
        value.CopyTo(attribute.AsSpan(4));
        return attribute;
    }

    private static (ReadOnlyMemory<byte> Message, ushort Type, int Next) Message(ReadOnlyMemory<byte> bytes)
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(bytes.Span);
        return length < HeaderLength || length > bytes.Length
            ? throw new IOException("the kernel sent a malformed netlink message")
            : (bytes[..length], BinaryPrimitives.ReadUInt16LittleEndian(bytes.Span[4..]), Math.Min(bytes.Length, (length + 3) & ~3));
    }

    private static int Code(ReadOnlySpan<byte> message) => BinaryPrimitives.ReadInt32LittleEndian(message[HeaderLength..]);

    private static void Send(SafeFileHandle socket, ushort type, int flags, ReadOnlySpan<byte> attributes)
    {
        var message = new byte[PrefixLength + attributes.Length];
        BinaryPrimitives.WriteInt32LittleEndian(message, message.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(4), type);
        BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(6), (ushort)flags);
        message[HeaderLength] = 2;      // AF_INET
        attributes.CopyTo(message.AsSpan(PrefixLength));
        if (NamespaceCalls.Send(socket, message, (nuint)message.Length, 0) != message.Length)
        {
            throw NamespaceCalls.Failure("cannot ask for translated flows");
        }
    }

    private static ReadOnlyMemory<byte> Receive(SafeFileHandle socket, byte[] buffer)
    {
        var length = NamespaceCalls.Receive(socket, buffer, (nuint)buffer.Length, 0);
        return length > 0 ? buffer.AsMemory(0, (int)length) : throw NamespaceCalls.Failure("cannot read translated flows");
    }
}
