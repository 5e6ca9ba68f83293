using System.Net;
using System.Net.Sockets;

namespace Fairlead.Platform.Capture;

/// <summary>
/// Takes flows that local programs open to addresses of the loopback range. One implementation per way
/// (<see cref="CaptureWay"/>); it captures from the moment <see cref="IHost.OpenCaptureAsync"/> returns it until it is disposed.
/// </summary>
/// <remarks>
/// Contract for every way. Programs that listen on 0.0.0.0, [::] or 127.0.0.1 are not disturbed, whatever port they use and whether they
/// started before or after (but see <see cref="CaptureWay.PortListeners"/>). Disposing undoes every change to the host, and what a
/// killed process leaves is in the journal. <see cref="AcceptAsync"/> and <see cref="IDatagramCapture.ReceiveAsync"/> may be called by several callers at once.
/// The capture has no queue of its own: back-pressure is the kernel's (accept backlog, socket buffer).
/// </remarks>
public interface ILoopbackCapture : IDatagramCapture, IAsyncDisposable
{
    CaptureWay Way { get; }

    /// <summary>
    /// Makes <paramref name="next"/> the table in force by applying the difference to the one before. Entries that couldn't be
    /// captured are named in the result; all others are in force when it completes. Flows already accepted are left alone. Entries
    /// that failed are tried again by the next call. Calls are serialised.
    /// </summary>
    /// <exception cref="HostException">The host refused the change as a whole; the table before is still in force, or part of the difference.</exception>
    Task<CaptureResult> UpdateAsync(CaptureTable next, CancellationToken cancellationToken);

    /// <summary>The next TCP connection. The caller owns the socket.</summary>
    /// <exception cref="SocketException">None could be accepted just now, such as out of descriptors: it stays in the backlog, try again in a moment.</exception>
    /// <exception cref="ObjectDisposedException">The capture was disposed.</exception>
    ValueTask<CapturedConnection> AcceptAsync(CancellationToken cancellationToken);

    /// <summary>Nothing: ports that no entry names are refused by the kernel already.</summary>
    void IDatagramCapture.Refuse(IPEndPoint destination, IPEndPoint client, ReadOnlySpan<byte> datagram, CaptureRefusal refusal)
    {
    }
}

/// <summary>How flows are taken, best first.</summary>
public enum CaptureWay
{
    /// <summary>BPF sk_lookup: one listener for all, no port is taken from local programs, nothing is left behind by a kill.</summary>
    SkLookup,

    /// <summary>An nftables table of our own redirects TCP; UDP has a socket per entry. The table outlives a kill: the journal names it.</summary>
    NftRedirect,

    /// <summary>
    /// A listener per address and port. A local program that listens on 0.0.0.0 or [::] takes that port from all services, and
    /// the other way round: those entries are failures with the holder's pid. Wildcard ports can't be had.
    /// </summary>
    PortListeners,
}

/// <param name="Range">Where owned addresses come from. Its first address (the network's own) must not be given to a service: the capture's sockets sit there.</param>
/// <param name="Way">Null picks the best that works; otherwise that one or an error.</param>
public sealed record CaptureOptions(IPNetwork Range, CaptureWay? Way = null)
{
    /// <summary>127.72.0.0/14.</summary>
    public static readonly IPNetwork DefaultRange = new(IPAddress.Parse("127.72.0.0"), 14);
}

/// <summary>A started capture, and why each better way wasn't taken (empty when the best one was, or when a way was forced).</summary>
public sealed record CaptureSelection(ILoopbackCapture Capture, IReadOnlyList<CaptureRejection> Rejected);

public sealed record CaptureRejection(CaptureWay Way, string Reason);

/// <summary>An accepted TCP connection; <paramref name="OriginalDestination"/> is the service address and port that the program connected to.</summary>
public readonly record struct CapturedConnection(Socket Socket, IPEndPoint OriginalDestination);

/// <param name="Length">Bytes of the payload in the caller's buffer; 0 is a valid datagram.</param>
public readonly record struct CapturedDatagram(IPEndPoint Client, IPEndPoint OriginalDestination, int Length);

public sealed record CaptureResult(IReadOnlyList<CaptureFailure> Failures)
{
    public static readonly CaptureResult Complete = new([]);
}

/// <param name="Reason">For people, one clause: "port 8080 is taken by nginx (pid 4711)".</param>
/// <param name="HolderPid">The process that holds the port, when that is the reason and it could be found.</param>
public sealed record CaptureFailure(CaptureEntry Entry, string Reason, int? HolderPid);
