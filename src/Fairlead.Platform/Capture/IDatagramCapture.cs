using System.Net;
using System.Net.Sockets;

namespace Fairlead.Platform.Capture;

/// <summary>The datagrams of local programs, as every capture hands them over.</summary>
public interface IDatagramCapture
{
    /// <summary>The next UDP datagram, written to <paramref name="buffer"/>. A buffer of 65 507 bytes fits any; a longer datagram is discarded, never cut.</summary>
    /// <exception cref="ObjectDisposedException">The capture was disposed.</exception>
    /// <exception cref="HostException">The capture was lost: its device is gone.</exception>
    ValueTask<CapturedDatagram> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken);

    /// <summary>
    /// Sends a datagram to a local program so that it comes from <paramref name="source"/>, the address and port that the program
    /// had sent to. Like any datagram it may be lost when the program's receive buffer is full.
    /// </summary>
    /// <exception cref="SocketException">The host refused it, for example <see cref="SocketError.MessageSize"/>.</exception>
    ValueTask SendAsync(IPEndPoint source, IPEndPoint client, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken);

    /// <summary>
    /// Tells the program that what it sends to <paramref name="destination"/> is not taken, by ICMP (RFC 1122 §4.1.3.1). Only some captures can: others do nothing, and the
    /// program learns it from silence.
    /// </summary>
    /// <param name="datagram">What it sent, or as much of its beginning as is known.</param>
    void Refuse(IPEndPoint destination, IPEndPoint client, ReadOnlySpan<byte> datagram, CaptureRefusal refusal);
}

/// <summary>How a program learns that the far side can't be had.</summary>
public enum CaptureRefusal
{
    /// <summary>Not at all: as when a packet is filtered.</summary>
    Silence,

    /// <summary>Nothing listens there: TCP RST, ICMP port unreachable (<c>ECONNREFUSED</c>).</summary>
    Refused,

    /// <summary>No way to the host: ICMP host unreachable (<c>EHOSTUNREACH</c>).</summary>
    Unreachable,

    /// <summary>The far side's rules forbid it: ICMP communication administratively prohibited (<c>EHOSTUNREACH</c> for IPv4, <c>EACCES</c> for IPv6).</summary>
    Prohibited,
}
