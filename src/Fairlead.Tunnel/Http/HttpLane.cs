using System.Net.Security;
using Fairlead.Tunnel.Link;
using Fairlead.Tunnel.Tls;

namespace Fairlead.Tunnel.Http;

/// <summary>One connection to one replica's API, and the flows on it.</summary>
internal sealed class HttpLane : ILane
{
    private readonly MeteredStream _transport;
    private readonly HttpCarrier _http;
    private readonly LaneLoad _load = new();
    private readonly CancellationTokenSource _lost = new();
    private SslStream? _connection;
    private volatile bool _retired;

    private HttpLane(MeteredStream transport, SslStream connection, TunnelTls tls)
    {
        _transport = transport;
        _connection = connection;
        Replica = ReplicaName.Of(connection.RemoteCertificate);
        _http = new HttpCarrier(tls.ServerName, Connect, severalConnections: false);
    }

    public string Replica { get; }

    public bool IsUsable => !_retired && !_transport.Ended;

    public bool IsIdle => _transport.Ended || _http.Flows == 0;

    public long Received => _transport.Received;

    public bool HasRoom => IsUsable && _http.Flows < LaneLoad.MaxFlows;

    public int Load => _load.Of(_http.Flows);

    /// <param name="transport">Owned from here on.</param>
    /// <exception cref="CarrierException">The handshake failed.</exception>
    public static async Task<HttpLane> ConnectAsync(Stream transport, TunnelTls tls, string where, CancellationToken cancellationToken)
    {
        var metered = new MeteredStream(transport);
        return new HttpLane(metered, await ApiConnector.AuthenticateAsync(metered, tls, where, cancellationToken), tls);
    }

    public Task PingAsync(CancellationToken cancellationToken)
    {
        _load.Look(_transport.Bytes);
        return _http.PingAsync(cancellationToken);
    }

    public ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, CancellationToken cancellationToken) =>
        UnlessLostAsync(token => _http.OpenAsync(target, token), cancellationToken);

    public ValueTask<FlowOpening<IDatagramFlow>> OpenDatagramsAsync(FlowTarget target, CancellationToken cancellationToken) =>
        UnlessLostAsync(token => _http.OpenDatagramsAsync(target, token), cancellationToken);

    /// <summary>An answer that is still being read when the lane is lost breaks off then.</summary>
    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var response = await _http.SendAsync(request, cancellationToken);
        _lost.Token.UnsafeRegister(static r => ((HttpResponseMessage)r!).Dispose(), response);
        return response;
    }

    public void Retire(bool lost)
    {
        _retired = true;
        if (lost)
        {
            _lost.Cancel();
        }
    }

    public async ValueTask DisposeAsync()
    {
        Retire(lost: true);
        await _http.DisposeAsync();
        await _transport.DisposeAsync();
    }

    /// <summary>What waits for its answer when the replica or the connection is lost was not accepted by anybody, and may ask another.</summary>
    private async ValueTask<FlowOpening<T>> UnlessLostAsync<T>(Func<CancellationToken, ValueTask<FlowOpening<T>>> open, CancellationToken cancellationToken)
        where T : class
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_lost.Token, cancellationToken);
        try
        {
            return await open(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new FlowOpening<T>(null, new FlowRefusal(FlowFailure.LinkDown, $"Replica {Replica} was lost before it answered."));
        }
    }

    /// <summary>The connection, once: it has ended when the handler asks for another.</summary>
    private Task<Stream> Connect(CancellationToken cancellationToken) =>
        Interlocked.Exchange(ref _connection, null) is { } connection ? Task.FromResult<Stream>(connection) : throw new IOException("The connection to the gateway has ended.");
}
