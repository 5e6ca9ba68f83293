using System.Net;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Direct;

/// <summary>The laptop's end of the direct carrier: a pool of mutual-TLS connections to one gateway endpoint, one TCP flow on each at a time.</summary>
public sealed class DirectCarrier(DnsEndPoint endpoint, TunnelTls tls, DirectCarrierOptions? options = null, ILogger? logger = null, TimeProvider? time = null) : IAsyncDisposable
{
    /// <summary>Opens a TCP flow. A refusal with <see cref="FlowFailure.LinkDown"/> means that no connection could be had.</summary>
    public ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, CancellationToken cancellationToken) =>
        throw new NotSupportedException($"{endpoint}{tls.ServerName}{options}{logger}{time}");

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
