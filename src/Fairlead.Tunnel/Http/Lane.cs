using System.Net.Security;
using Fairlead.Tunnel.Link;
using Fairlead.Tunnel.Tls;

namespace Fairlead.Tunnel.Http;

/// <summary>One connection to one replica's API, and the flows on it. It isn't redialled: another lane takes its place.</summary>
internal sealed class Lane : IReplicaConnection
{
    /// <summary>Below the streams that a gateway allows on a connection, so that no open waits for another flow's end.</summary>
    public const int MaxFlows = 240;

    /// <summary>A lane that moved this much since it was last looked at, half a second before, is busy: what is new goes elsewhere.</summary>
    private const int BusyBytes = 1 << 20;

    private readonly MeteredStream _transport;
    private readonly HttpCarrier _http;
    private readonly CancellationTokenSource _lost = new();
    private SslStream? _connection;
    private long _bytes;
    private volatile bool _busy;
    private volatile bool _retired;

    private Lane(MeteredStream transport, SslStream connection, TunnelTls tls)
    {
        _transport = transport;
        _connection = connection;
        Replica = ReplicaName.Of(connection.RemoteCertificate);
        _http = new HttpCarrier(tls.ServerName, Connect, severalConnections: false);
    }

    public string Replica { get; }

    public bool IsUsable => !_retired && !_transport.Ended;

    public bool IsIdle => _transport.Ended || _http.Flows == 0;

    public bool HasRoom => IsUsable && _http.Flows < MaxFlows;

    /// <summary>Less is better for a new flow.</summary>
    public int Load => _http.Flows + (_busy ? MaxFlows : 0);

    /// <summary>Cancelled when the replica or the connection is lost: what waits for its answer should ask another.</summary>
    public CancellationToken Lost => _lost.Token;

    /// <param name="transport">Owned from here on.</param>
    /// <exception cref="CarrierException">The gateway refuses us, drains, or something else answers.</exception>
    public static async Task<Lane> OpenAsync(Stream transport, TunnelTls tls, string where, CancellationToken cancellationToken)
    {
        var metered = new MeteredStream(transport);
        var lane = new Lane(metered, await ApiConnector.AuthenticateAsync(metered, tls, where, cancellationToken), tls);
        try
        {
            await lane.PingAsync(cancellationToken);
            return lane;
        }
        catch
        {
            await lane.DisposeAsync();
            throw;
        }
    }

    public async Task PingAsync(CancellationToken cancellationToken)
    {
        var bytes = _transport.Bytes;
        _busy = bytes - _bytes > BusyBytes;
        _bytes = bytes;
        await _http.PingAsync(cancellationToken);
    }

    public ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, CancellationToken cancellationToken) => _http.OpenAsync(target, cancellationToken);

    public ValueTask<FlowOpening<IDatagramFlow>> OpenDatagramsAsync(FlowTarget target, CancellationToken cancellationToken) => _http.OpenDatagramsAsync(target, cancellationToken);

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

    /// <summary>The connection, once: it has ended when the handler asks for another.</summary>
    private Task<Stream> Connect(CancellationToken cancellationToken) =>
        Interlocked.Exchange(ref _connection, null) is { } connection ? Task.FromResult<Stream>(connection) : throw new IOException("The connection to the gateway has ended.");
}
