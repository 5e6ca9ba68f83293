using System.Net;
using System.Net.Sockets;

namespace Fairlead.Platform.Capture;

/// <summary>
/// Takes whatever is routed into a virtual device of our own, from local programs and from containers that route through this host. Made by
/// <see cref="IHost.OpenTunAsync"/>; routes that lead to it are somebody else's. It captures until it is disposed or lost (<see cref="Lost"/>).
/// </summary>
/// <remarks>
/// The accept and receive methods may be called by several callers at once. Connections, datagrams and echo requests wait in queues that are bounded: of connections the excess
/// is dropped as by a full backlog (the client's kernel tries again), of datagrams and echo requests it is lost. <see cref="Counters"/> counts both.
/// The device goes with the process: nothing is left by a kill, so nothing of it is in the journal.
/// </remarks>
public interface ITunCapture : IDatagramCapture, IAsyncDisposable
{
    TunDevice Device { get; }

    TunCounters Counters { get; }

    /// <summary>
    /// The next connection that a program wants: its SYN is held, so the program still waits in connect(2). Each must be answered by
    /// <see cref="ITunConnection.AcceptAsync"/> or <see cref="ITunConnection.Refuse"/>.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The capture was disposed.</exception>
    /// <exception cref="HostException">The capture was lost.</exception>
    ValueTask<ITunConnection> AcceptAsync(CancellationToken cancellationToken);

    /// <summary>The next ICMP echo request (ping).</summary>
    /// <exception cref="ObjectDisposedException">The capture was disposed.</exception>
    /// <exception cref="HostException">The capture was lost.</exception>
    ValueTask<TunEcho> ReceiveEchoAsync(CancellationToken cancellationToken);

    /// <summary>Answers an echo request with the data that came back from the far side.</summary>
    void Reply(TunEcho echo, ReadOnlySpan<byte> data);

    /// <summary>The far side has no answer: ICMP unreachable, or nothing. <see cref="CaptureRefusal.Refused"/> is taken for <see cref="CaptureRefusal.Unreachable"/>.</summary>
    void Refuse(TunEcho echo, CaptureRefusal refusal);

    /// <summary>
    /// Completes when the capture no longer works by itself: with the reason when the device was deleted by somebody else, with null after it was disposed. A new one can then be opened.
    /// A device that is merely set down comes back with its next up; its addresses and routes are for whoever watches them.
    /// </summary>
    Task<HostException?> Lost { get; }
}

/// <summary>A connection whose SYN is held until the far side has been dialled (or not). Answered once; later answers do nothing.</summary>
public interface ITunConnection
{
    /// <summary>The program's address and port: of this host, or of a container that routes through it.</summary>
    IPEndPoint Client { get; }

    /// <summary>What it connects to.</summary>
    IPEndPoint Destination { get; }

    /// <summary>Lets the SYN in; completes with the connected socket, which the caller owns, once the program's kernel has answered. Null when the program has given up meanwhile.</summary>
    /// <exception cref="ObjectDisposedException">The capture was disposed.</exception>
    ValueTask<Socket?> AcceptAsync(CancellationToken cancellationToken);

    /// <summary>After <see cref="CaptureRefusal.Silence"/> a further SYN of the program is a new connection.</summary>
    void Refuse(CaptureRefusal refusal);
}

/// <summary>A ping. A value with what is needed to answer it.</summary>
/// <param name="Identifier">Of the request, as is <paramref name="Sequence"/>: the reply repeats both.</param>
/// <param name="Data">What follows the header: at most 65 507 bytes.</param>
public sealed record TunEcho(IPAddress Client, IPAddress Destination, ushort Identifier, ushort Sequence, ReadOnlyMemory<byte> Data);

/// <param name="Name">Such as <c>fairlead0</c>; the first that is free.</param>
/// <param name="Index">The interface index, for routes.</param>
/// <param name="Address">The device's own IPv4 address, which programs get as their source.</param>
/// <param name="Address6">Null where this host has no IPv6.</param>
public sealed record TunDevice(string Name, int Index, int Mtu, IPAddress Address, IPAddress? Address6);

/// <param name="Name">With <c>%d</c> the kernel puts the first free number there. At most 15 bytes with the number.</param>
/// <param name="Address">The device's own, a single address (/32): nothing but the device itself becomes reachable by it. Not one that is routed to the device.</param>
/// <param name="Address6">The same for IPv6 (/128); left out where the host has no IPv6.</param>
/// <param name="Mtu">1 280 to 65 535. Segmentation offload makes a larger one than the usual needless.</param>
public sealed record TunOptions(string Name, IPAddress Address, IPAddress Address6, int Mtu = 1500)
{
    /// <summary>Device <c>fairleadN</c>; addresses at the far end of the pool of virtual subnets (246.0.0.0/8) and in a ULA prefix of our own.</summary>
    public static readonly TunOptions Default = new("fairlead%d", IPAddress.Parse("246.255.72.1"), IPAddress.Parse("fd46:6169:726c:6561::1"));
}

/// <summary>Since the capture was opened.</summary>
/// <param name="Flows">TCP flows now in the table.</param>
/// <param name="Connections">TCP connections that were handed out.</param>
/// <param name="Dropped">Packets that were dropped: queues or tables that are full, and what no good stack answers (bad checksums, wrong versions, multicast…).</param>
public sealed record TunCounters(int Flows, long Connections, long Dropped);
