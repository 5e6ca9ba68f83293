using System.Net;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Tunnel;

/// <summary>
/// What a flow is to. <paramref name="Host"/> is <c>service.namespace.svc</c>, or <c>endpoint.service.namespace.svc</c> for one endpoint of a
/// headless service (the cluster domain is left out), always lower case; or an IP address, where the gateway says that it takes those
/// (<see cref="GatewayCapabilities.Addresses"/>).
/// </summary>
/// <param name="Port">1 to 65535; 0 with <see cref="TransportProtocol.Icmp"/>, whose host is an address.</param>
/// <param name="Via">The workload that the flow leaves from, <c>namespace/kind/name</c>; the host is an address then. Null: the gateway itself.</param>
public sealed record FlowTarget(TransportProtocol Protocol, string Host, int Port, string? Via = null)
{
    /// <summary>Of <see cref="Via"/>: three names of Kubernetes objects and two slashes, with room.</summary>
    public const int MaxVia = 400;

    /// <summary>RFC 1035 §2.3.4: the host is a DNS name, or shorter.</summary>
    public const int MaxHost = 253;

    /// <summary>Whether it can be written and read by every carrier. Whether there is such a thing is the gateway's to say.</summary>
    public bool IsWellFormed => Host.Length is > 0 and <= MaxHost && IsVisible(Host)
        && (Protocol == TransportProtocol.Icmp ? Port == 0 : Protocol is TransportProtocol.Tcp or TransportProtocol.Udp && Port is > 0 and <= 65535)
        && (Via is null || (Via.Length is > 0 and <= MaxVia && IsVisible(Via)));

    public override string ToString()
    {
        var host = Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host;
        var target = Protocol switch
        {
            TransportProtocol.Tcp => $"tcp://{host}:{Port}",
            TransportProtocol.Udp => $"udp://{host}:{Port}",
            _ => $"icmp://{host}",
        };
        return Via is null ? target : $"{target} via {Via}";
    }

    private static bool IsVisible(string text) => !text.AsSpan().ContainsAnyExceptInRange('\u0021', '\u007e');
}

/// <summary>Why a flow was not opened, or ended early. The numbers are on the wire.</summary>
public enum FlowFailure : byte
{
    None = 0,

    /// <summary>The far side's socket was refused (RST, ICMP port unreachable).</summary>
    ConnectionRefused = 1,
    TimedOut = 2,
    Unreachable = 3,

    /// <summary>No such service, port or name.</summary>
    NotFound = 4,

    /// <summary>The identity may not reach this, or what lies behind it.</summary>
    Denied = 5,

    /// <summary>The gateway goes away; open it elsewhere.</summary>
    Draining = 6,

    /// <summary>A limit of the gateway or of the daemon was reached.</summary>
    Overloaded = 7,

    /// <summary>The other end reset the flow.</summary>
    Reset = 8,

    /// <summary>The link to the gateway broke or could not be had in time.</summary>
    LinkDown = 9,

    /// <summary>The other end broke the protocol.</summary>
    ProtocolError = 10,
}

/// <param name="Message">For a person; never a secret.</param>
public sealed record FlowRefusal(FlowFailure Failure, string Message);

/// <summary>A flow that broke after it was open: bytes may be missing, so it must be reset towards the application, never closed as if complete.</summary>
public sealed class FlowAbortedException(FlowFailure failure, string message, Exception? inner = null) : IOException(message, inner)
{
    public FlowFailure Failure { get; } = failure;
}

/// <summary>
/// One TCP flow inside a carrier: a duplex byte stream with half-close and reset. At most one read and one write at a time.
/// Cancelling a read or a write that is in progress resets the flow: part of a frame may be on its way.
/// <see cref="IAsyncDisposable.DisposeAsync"/> without both ends complete aborts it with <see cref="FlowFailure.Reset"/>.
/// </summary>
public interface IFlow : IAsyncDisposable
{
    /// <summary>0 once the other end has completed its writes. A zero-length buffer waits until a read would not block (so that idle flows hold no buffer).</summary>
    /// <exception cref="FlowAbortedException">The flow was reset or the carrier broke.</exception>
    ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default);

    /// <summary>Completes when the carrier took all bytes: a slow far side makes it wait.</summary>
    ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default);

    /// <summary>Half-close: no more bytes follow.</summary>
    ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default);

    /// <summary>Resets the flow at once. The first reason wins.</summary>
    void Abort(FlowFailure failure);
}

/// <summary>
/// One UDP association inside a carrier: whole datagrams of at most 65 507 bytes; one is dropped and counted where a bounded queue is full.
/// Of <see cref="TransportProtocol.Icmp"/> a datagram is an echo request, or its reply, from the sequence number on (RFC 792; RFC 4443 §4):
/// two bytes, big-endian, then the data. Type, code, checksum and identifier are each end's own.
/// </summary>
public interface IDatagramFlow : IAsyncDisposable
{
    /// <summary>One datagram; −1 once the other end is gone.</summary>
    /// <exception cref="FlowAbortedException">
    /// The far side can't be had: <see cref="FlowFailure.ConnectionRefused"/> (nobody listens), <see cref="FlowFailure.Unreachable"/>; or the carrier broke.
    /// </exception>
    ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken = default);

    /// <summary>Whether another datagram is here already: the next receive won't wait.</summary>
    bool HasDatagram { get; }

    /// <summary>Takes a datagram, which may wait for others until <see cref="FlushAsync"/>: those that come together travel together.</summary>
    ValueTask SendAsync(ReadOnlyMemory<byte> datagram, CancellationToken cancellationToken = default);

    /// <summary>Sends what was taken: to be called when nothing more is to be sent at this moment.</summary>
    ValueTask FlushAsync(CancellationToken cancellationToken = default);

    /// <summary>Ends it and tells the other end why. Without this, disposing ends it and says nothing.</summary>
    ValueTask AbortAsync(FlowRefusal reason, CancellationToken cancellationToken = default);
}

/// <summary>The outcome of an open: a flow, or why not.</summary>
public readonly record struct FlowOpening<T>(T? Flow, FlowRefusal? Refusal)
    where T : class;

/// <summary>What the laptop's end opens flows with; the carriers and the link of several carriers implement it.</summary>
public interface IFlowOpener
{
    /// <param name="early">What may travel with the open, if anything; where a carrier leaves it alone, the relay writes it.</param>
    ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, EarlyData? early, CancellationToken cancellationToken);

    ValueTask<FlowOpening<IDatagramFlow>> OpenDatagramsAsync(FlowTarget target, CancellationToken cancellationToken);
}

/// <summary>Who is at the other end of a mutual-TLS connection, as the gateway judged its certificate.</summary>
/// <param name="Subject">Such as <c>invite:alice</c>.</param>
/// <param name="Issued">When the certificate became valid: older ones can be revoked together.</param>
/// <param name="Group">The invite group in the certificate, without prefix, or null.</param>
/// <param name="Account">Who that is in Kubernetes, for subjects <c>k8s:</c>.</param>
public sealed record PeerIdentity(string Subject, DateTimeOffset Issued, DateTimeOffset Expires, string? Group = null, KubernetesAccount? Account = null);

/// <summary>A user as the API server authenticated it when the certificate was asked for (authentication.k8s.io/v1 UserInfo).</summary>
public sealed record KubernetesAccount(
    string Name, string? Uid, IReadOnlyList<string> Groups, IReadOnlyDictionary<string, IReadOnlyList<string>> Extra);

/// <summary>A flow that a laptop asks for, not yet answered. Exactly one of the two answers is given, once.</summary>
public interface IIncomingFlow
{
    PeerIdentity Peer { get; }

    EndPoint? RemoteEndPoint { get; }

    FlowTarget Target { get; }

    /// <summary>Valid when the target is TCP.</summary>
    ValueTask<IFlow> AcceptAsync(CancellationToken cancellationToken);

    /// <summary>Valid when the target is UDP or ICMP.</summary>
    ValueTask<IDatagramFlow> AcceptDatagramsAsync(CancellationToken cancellationToken);

    ValueTask RefuseAsync(FlowRefusal refusal, CancellationToken cancellationToken);
}

/// <summary>The gateway's side: called once for each flow; the flow is over when the task ends.</summary>
public interface IFlowHandler
{
    Task HandleAsync(IIncomingFlow flow, CancellationToken cancellationToken);
}
