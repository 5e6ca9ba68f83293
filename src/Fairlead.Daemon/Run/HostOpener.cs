using System.Net;
using System.Net.Sockets;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Relay;

namespace Fairlead.Daemon.Run;

/// <summary>Opens flows from this host by ordinary sockets, so that they take whatever way the host has: the internet, a VPN, the next room. Targets are IP addresses.</summary>
internal sealed class HostOpener : IFlowOpener
{
    private const byte EchoRequest = 8;         // RFC 792
    private const byte EchoRequest6 = 128;      // RFC 4443 §4.1

    /// <summary>Type, code, checksum, identifier; the sequence number follows.</summary>
    private const int EchoHeader = 6;

    public async ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, EarlyData? early, CancellationToken cancellationToken)
    {
        var address = IPAddress.Parse(target.Host);
        Socket? socket = null;
        try
        {
            socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(new IPEndPoint(address, target.Port), cancellationToken);
            return new FlowOpening<IFlow>(new SocketFlow(socket), null);
        }
        catch (SocketException e)
        {
            socket?.Dispose();
            return new FlowOpening<IFlow>(null, RefusalOf(e));
        }
        catch (OperationCanceledException)
        {
            socket?.Dispose();
            throw;
        }
    }

    public ValueTask<FlowOpening<IDatagramFlow>> OpenDatagramsAsync(FlowTarget target, CancellationToken cancellationToken)
    {
        var address = IPAddress.Parse(target.Host);
        Socket? socket = null;
        try
        {
            // Connected, so that nobody else's datagrams are taken for answers, and an ICMP error comes back as one of the socket's.
            socket = target.Protocol == TransportProtocol.Icmp ? OpenPing(address.AddressFamily) : new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            socket.ReportAllErrors();
            socket.Connect(new IPEndPoint(address, target.Port));
            return ValueTask.FromResult(new FlowOpening<IDatagramFlow>(new SocketDatagramFlow(socket, target.Protocol == TransportProtocol.Icmp ? HeaderOf(address.AddressFamily) : default), null));
        }
        catch (SocketException e)
        {
            socket?.Dispose();
            return ValueTask.FromResult(new FlowOpening<IDatagramFlow>(null, RefusalOf(e)));
        }
    }

    internal static FlowFailure FailureOf(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => FlowFailure.ConnectionRefused,
        SocketError.TimedOut => FlowFailure.TimedOut,
        SocketError.NetworkUnreachable or SocketError.HostUnreachable or SocketError.NetworkDown or SocketError.HostDown or SocketError.AddressNotAvailable
            or SocketError.AddressFamilyNotSupported or SocketError.ProtocolNotSupported => FlowFailure.Unreachable,
        SocketError.AccessDenied => FlowFailure.Denied,
        SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable => FlowFailure.Overloaded,
        SocketError.ConnectionReset => FlowFailure.Reset,
        _ => FlowFailure.Unreachable,
    };

    private static FlowRefusal RefusalOf(SocketException e) => new(FailureOf(e.SocketErrorCode), e.Message);

    /// <summary>Takes no privilege where the group is in <c>net.ipv4.ping_group_range</c> (icmp(7)), as systemd sets it.</summary>
    private static Socket OpenPing(AddressFamily family) =>
        new(family, SocketType.Dgram, family == AddressFamily.InterNetwork ? ProtocolType.Icmp : ProtocolType.IcmpV6);

    private static byte[] HeaderOf(AddressFamily family)
    {
        var header = new byte[EchoHeader];
        header[0] = family == AddressFamily.InterNetwork ? EchoRequest : EchoRequest6;
        return header;
    }
}
