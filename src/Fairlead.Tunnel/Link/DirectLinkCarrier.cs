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
    private readonly Lanes<HttpLane> _api;
    private readonly ReplicaConnections<PingConnection> _pings;
    private CancellationTokenSource _doubt = new();

    public DirectLinkCarrier(GatewayEndpoint endpoint, TunnelTls tls, DirectCarrierOptions options, IWebProxy? proxy, ILogger logger, TimeProvider time)
    {
        Where = $"{endpoint.Host}:{endpoint.DataPort}";
        var dialer = new GatewayDialer(proxy);
        var api = $"{endpoint.Host}:{endpoint.ApiPort}";
        _direct = new DirectCarrier(new DnsEndPoint(endpoint.Host, endpoint.DataPort), tls, options, logger, time, proxy);
        _api = new Lanes<HttpLane>(
            async (_, cancellationToken) => await HttpLane.ConnectAsync(await ApiConnector.DialAsync(dialer, endpoint.Host, endpoint.ApiPort, cancellationToken), tls, api, cancellationToken), ApiWidth, logger, time);
        _pings = new ReplicaConnections<PingConnection>(async (_, cancellationToken) => new PingConnection(_direct, await _direct.DialAsync(cancellationToken), LeaveReplica), width: 1, logger, time);
    }

    public string Name => CarrierNames.Direct;

    public string Where { get; }

    public IReadOnlyCollection<string> Replicas => [.. _pings.Replicas.Distinct()];

    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        await (await _api.TakeAsync(cancellationToken)).SendAsync(request, cancellationToken);

    public Task PingAsync(CancellationToken cancellationToken)
    {
        _api.Return();
        return _pings.PingAsync(cancellationToken);
    }

    public void Expect(IReadOnlyList<string> pods)
    {
        _pings.Expect(pods.Count);
        _api.Expect(pods.Count);
    }

    public void Warm() => _direct.Warm();

    public void Leave(bool lost)
    {
        _pings.Leave(lost);
        _api.Leave(lost);
    }

    public ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, EarlyData? early, CancellationToken cancellationToken) =>
        UnlessSilentAsync(token => _direct.OpenAsync(target, early, token), early, cancellationToken);

    public ValueTask<FlowOpening<IDatagramFlow>> OpenDatagramsAsync(FlowTarget target, CancellationToken cancellationToken) => UnlessSilentAsync(
        async token => await _direct.OpenDatagramsAsync(target, token) ?? await _api.OpenAsync(lane => lane.OpenDatagramsAsync(target, cancellationToken), cancellationToken), null, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _pings.DisposeAsync();
        await _direct.DisposeAsync();
        await _api.DisposeAsync();
        _doubt.Dispose();
    }

    /// <summary>An open that waits for its answer when a replica falls silent may wait for that one: it is asked again, of another.</summary>
    private async ValueTask<FlowOpening<T>> UnlessSilentAsync<T>(Func<CancellationToken, ValueTask<FlowOpening<T>>> open, EarlyData? early, CancellationToken cancellationToken)
        where T : class
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(Volatile.Read(ref _doubt).Token, cancellationToken);
        try
        {
            return await open(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // What was sent with it may have arrived, so it isn't sent again.
            var failure = early is { Taken.IsEmpty: false } ? FlowFailure.Reset : FlowFailure.LinkDown;
            return new FlowOpening<T>(null, new FlowRefusal(failure, $"A replica of the gateway behind {Where} fell silent."));
        }
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

        public long Received => 0;

        public Task PingAsync(CancellationToken cancellationToken) => carrier.PingAsync(connection, _number++, cancellationToken);

        public void Retire(bool lost)
        {
            _retired = true;
            left(Replica, lost);
        }

        public ValueTask DisposeAsync() => connection.DisposeAsync();
    }
}
