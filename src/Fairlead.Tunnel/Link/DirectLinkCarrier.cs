using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel.Dial;
using Fairlead.Tunnel.Direct;
using Fairlead.Tunnel.Http;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Link;

/// <summary>
/// Flows on direct connections to the data port; control, and flows of datagrams that find no place there, on HTTP/2 to the API's port. A node port or a load balancer spreads the
/// connections over the replicas, and two of them are pinged: when one falls silent, no connection that was idle until then is used any more.
/// </summary>
internal sealed class DirectLinkCarrier : ICarrier
{
    /// <summary>This is little: two, so that the loss of one costs no dial.</summary>
    private const int ApiWidth = 2;

    private readonly DirectCarrier _direct;
    private readonly HttpLanes _api;
    private readonly ReplicaConnections<PingConnection> _pings;
    private CancellationTokenSource _doubt = new();

    public DirectLinkCarrier(GatewayEndpoint endpoint, TunnelTls tls, DirectCarrierOptions options, IWebProxy? proxy, ILogger logger, TimeProvider time)
    {
        Where = $"{endpoint.Host}:{endpoint.DataPort}";
        var dialer = new GatewayDialer(proxy);
        _direct = new DirectCarrier(new DnsEndPoint(endpoint.Host, endpoint.DataPort), tls, options, logger, time, proxy);
        _api = new HttpLanes(
            (_, cancellationToken) => ApiConnector.DialAsync(dialer, endpoint.Host, endpoint.ApiPort, cancellationToken), tls, () => $"{endpoint.Host}:{endpoint.ApiPort}", ApiWidth, logger, time);
        _pings = new ReplicaConnections<PingConnection>((_, cancellationToken) => PingConnection.OpenAsync(_direct, LeaveReplica, cancellationToken), width: 1, logger, time);
    }

    public string Name => CarrierNames.Direct;

    public string Where { get; }

    public IReadOnlyCollection<string> Replicas => [.. _pings.Replicas.Distinct()];

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => _api.SendAsync(request, cancellationToken);

    public Task PingAsync(CancellationToken cancellationToken) => _pings.PingAsync(cancellationToken);

    public void Expect(IReadOnlyList<string> pods)
    {
        _pings.Expect(pods.Count);
        _api.Expect(pods.Count);
    }

    public void Warm() => _direct.Warm();

    public Task QuiesceAsync()
    {
        _pings.RetireAll();
        _api.RetireAll();
        return Task.CompletedTask;
    }

    /// <summary>An open that waits for its answer when a replica falls silent may wait for that one: it is asked again, of another.</summary>
    public async ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, EarlyData? early, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(Volatile.Read(ref _doubt).Token, cancellationToken);
        try
        {
            return await _direct.OpenAsync(target, early, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // What was sent with it may have arrived, so it isn't sent again.
            var failure = early is { Taken.IsEmpty: false } ? FlowFailure.Reset : FlowFailure.LinkDown;
            return new FlowOpening<IFlow>(null, new FlowRefusal(failure, $"A replica of the gateway behind {Where} fell silent."));
        }
    }

    public async ValueTask<FlowOpening<IDatagramFlow>> OpenDatagramsAsync(FlowTarget target, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(Volatile.Read(ref _doubt).Token, cancellationToken);
        try
        {
            return await _direct.OpenDatagramsAsync(target, either.Token) ?? await _api.OpenDatagramsAsync(target, cancellationToken);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new FlowOpening<IDatagramFlow>(null, new FlowRefusal(FlowFailure.LinkDown, $"A replica of the gateway behind {Where} fell silent."));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _pings.DisposeAsync();
        await _direct.DisposeAsync();
        await _api.DisposeAsync();
        _doubt.Dispose();
    }

    /// <summary>A replica gets no new flows. One that drains answers the opens that are under way, so only a silent one's are given up.</summary>
    private void LeaveReplica(string replica, bool silent)
    {
        _direct.ClearIdle();
        if (!silent)
        {
            return;
        }

        _direct.EndDatagrams(replica);

        // Not disposed: an open may be linking itself to it at this moment, and without a timer it holds nothing.
        Interlocked.Exchange(ref _doubt, new CancellationTokenSource()).Cancel();
    }

    /// <summary>A connection for pings, over the same port, TLS and server loop as flows.</summary>
    private sealed class PingConnection(DirectCarrier carrier, DirectConnection connection, Action<string, bool> left) : IReplicaConnection
    {
        private long _number;
        private volatile bool _retired;

        public string Replica => connection.Replica;

        public bool IsUsable => !_retired && !connection.IsClosed;

        public bool IsIdle => true;

        public static async Task<PingConnection> OpenAsync(DirectCarrier carrier, Action<string, bool> left, CancellationToken cancellationToken)
        {
            var made = new PingConnection(carrier, await carrier.DialAsync(cancellationToken), left);
            try
            {
                await made.PingAsync(cancellationToken);
                return made;
            }
            catch
            {
                await made.DisposeAsync();
                throw;
            }
        }

        public Task PingAsync(CancellationToken cancellationToken) => carrier.PingAsync(connection, _number++, cancellationToken);

        public void Retire(bool lost)
        {
            _retired = true;
            left(Replica, lost);
        }

        public ValueTask DisposeAsync() => connection.DisposeAsync();
    }
}
