using System.Net;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Direct;

/// <summary>The gateway's end of the direct carrier: accepts mutual-TLS connections and hands each flow on them to the handler.</summary>
public sealed class DirectCarrierServer(DirectCarrierServerOptions options, IFlowHandler handler, ILogger<DirectCarrierServer> logger, TimeProvider? time = null) : IAsyncDisposable
{
    /// <summary>Where it listens; valid after <see cref="Start"/>.</summary>
    public IPEndPoint EndPoint { get; private set; } = options.EndPoint;

    /// <summary>Connections now, idle or in use.</summary>
    public int Connections { get; }

    /// <summary>Binds and begins to accept.</summary>
    /// <exception cref="System.Net.Sockets.SocketException">The endpoint can't be bound.</exception>
    public void Start() => throw new NotSupportedException($"{handler}{logger}{time}");

    /// <summary>Refuses new flows with <see cref="FlowFailure.Draining"/>, closes idle connections, and waits until open flows end or the deadline passes; those left are then aborted.</summary>
    public Task DrainAsync(TimeSpan deadline, CancellationToken cancellationToken) => Task.FromException(new NotSupportedException($"{EndPoint}"));

    /// <summary>Ends every connection, and so every flow, of the identities that match (a revocation).</summary>
    /// <returns>How many connections.</returns>
    public int Close(Predicate<PeerIdentity> match) => Connections;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
