using System.Buffers.Binary;
using System.Net;
using Fairlead.Linux.Bpf;
using Fairlead.Platform.Capture;
using static Fairlead.Linux.Bpf.BpfHelper;
using static Fairlead.Linux.Bpf.BpfRegister;

namespace Fairlead.Linux.Capture;

/// <summary>
/// The program that the kernel runs for each IPv4 packet that belongs to no established socket (kernel document bpf/prog_sk_lookup.rst). In C:
/// <code>
/// if (ctx->family != AF_INET || !table[address, 0, 0]) return SK_PASS;                 // not ours: the host's own lookup
/// if (ctx->ingress_ifindex != LOOPBACK) return SK_DROP;                                // from outside: see Assemble
/// if (!table[address, port, protocol] &amp;&amp; !table[address, 0, protocol]) return SK_DROP;  // refused: RST or ICMP
/// sk = sockets[protocol == TCP ? 0 : 1];
/// return sk &amp;&amp; bpf_sk_assign(ctx, sk, 0) == 0 ? SK_PASS : SK_DROP;                    // and bpf_sk_release(sk)
/// </code>
/// </summary>
internal static class SkLookupProgram
{
    public const uint TcpSocket = 0;
    public const uint UdpSocket = 1;

    // struct bpf_sk_lookup (linux/bpf.h): the address is in network order, the port in host order.
    private const short Family = 8;
    private const short Protocol = 12;
    private const short LocalAddress = 40;
    private const short LocalPort = 60;
    private const short IngressInterface = 64;

    private const int Ipv4 = 2;

    /// <summary>The loopback device is number 1 in every network namespace.</summary>
    private const int LoopbackInterface = 1;

    private const int Drop = 0;
    private const int Pass = 1;

    // The frame: the table's key, then the socket map's.
    private const short Key = -8;
    private const short KeyPort = -4;
    private const short KeyProtocol = -2;
    private const short Index = -16;

    /// <summary>The table's key as the program builds it: address (network order), port (host order), protocol.</summary>
    public static ulong KeyOf(IPAddress address, ushort port, CaptureProtocol? protocol)
    {
        Span<byte> octets = stackalloc byte[4];
        address.TryWriteBytes(octets, out _);
        return BinaryPrimitives.ReadUInt32LittleEndian(octets) | (ulong)port << 32 | (protocol is { } number ? (ulong)number << 48 : 0);
    }

    /// <summary>The key that says that an address is ours.</summary>
    public static ulong KeyOf(IPAddress address) => KeyOf(address, 0, null);

    public static ulong KeyOf(CaptureEntry entry) => KeyOf(entry.Address, entry.Port, entry.Protocol);

    /// <param name="table">Descriptor of the table.</param>
    /// <param name="sockets">Descriptor of the socket map.</param>
    /// <param name="loopbackOnly">
    /// Takes packets of the loopback device only. Others carry such an address only where <c>route_localnet</c> is set, as
    /// Kubernetes nodes have it, and then come from a neighbour who is not to have this user's services. Linux 5.17 and later.
    /// </param>
    public static ulong[] Assemble(int table, int sockets, bool loopbackOnly)
    {
        var program = new BpfAssembler()
            .Move(R6, R1)
            .LoadWord(R2, R6, Family)
            .JumpIfNotEqual(R2, Ipv4, "pass")
            .LoadWord(R7, R6, LocalAddress)
            .LoadWord(R8, R6, LocalPort)
            .LoadWord(R9, R6, Protocol)

            .StoreWord(R10, Key, R7)
            .StoreWord(R10, KeyPort, 0)
            .LookUp(table, Key)
            .JumpIfEqual(R0, 0, "pass");
        if (loopbackOnly)
        {
            program
                .LoadWord(R2, R6, IngressInterface)
                .JumpIfNotEqual(R2, LoopbackInterface, "drop");
        }

        return program
            .StoreHalf(R10, KeyPort, R8)
            .StoreHalf(R10, KeyProtocol, R9)
            .LookUp(table, Key)
            .JumpIfNotEqual(R0, 0, "assign")
            .StoreHalf(R10, KeyPort, 0)
            .LookUp(table, Key)
            .JumpIfEqual(R0, 0, "drop")

            .Label("assign")
            .StoreWord(R10, Index, (int)TcpSocket)
            .JumpIfEqual(R9, (int)CaptureProtocol.Tcp, "socket")
            .StoreWord(R10, Index, (int)UdpSocket)
            .Label("socket")
            .LookUp(sockets, Index)
            .JumpIfEqual(R0, 0, "drop")
            .Move(R7, R0)
            .Move(R1, R6)
            .Move(R2, R7)
            .Move(R3, 0)
            .Call(SocketAssign)
            .Move(R8, R0)
            .Move(R1, R7)
            .Call(SocketRelease)
            .JumpIfNotEqual(R8, 0, "drop")

            .Label("pass")
            .Move(R0, Pass)
            .Exit()
            .Label("drop")
            .Move(R0, Drop)
            .Exit()
            .Assemble();
    }

    /// <summary>R0 = bpf_map_lookup_elem(map, frame + key)</summary>
    private static BpfAssembler LookUp(this BpfAssembler assembler, int map, short key) => assembler
        .LoadMap(R1, map)
        .Move(R2, R10)
        .Add(R2, key)
        .Call(MapLookupElement);
}
