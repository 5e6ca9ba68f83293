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
    private int _requests;
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

    /// <summary>An answer that has begun doesn't count: the catalog's has no end, and whoever reads it asks again.</summary>
    public bool IsIdle => _transport.Ended || (_http.Flows == 0 && Volatile.Read(ref _requests) == 0);

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

    /// <summary>When the lane is lost, an answer that is still being read breaks off, and one that has not begun never does.</summary>
    /// <exception cref="HttpRequestException">The connection broke, or was lost.</exception>
    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_lost.Token, cancellationToken);
        Interlocked.Increment(ref _requests);
        try
        {
            var response = await _http.SendAsync(request, either.Token);
            var content = new StreamContent(new BreakableStream(await response.Content.ReadAsStreamAsync(CancellationToken.None), _lost.Token));
            foreach (var (name, values) in response.Content.Headers)
            {
                content.Headers.TryAddWithoutValidation(name, values);
            }

            response.Content = content;
            return response;
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new HttpRequestException($"Replica {Replica} was lost before it answered.", e);
        }
        finally
        {
            Interlocked.Decrement(ref _requests);
        }
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

    /// <summary>The body of an answer. It forgets the lane when it is disposed: there may be an answer for each name that is looked up.</summary>
    private sealed class BreakableStream(Stream body, CancellationToken lost) : DuplexStream
    {
        private readonly CancellationTokenRegistration _breaking = lost.UnsafeRegister(static b => ((Stream)b!).Dispose(), body);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => body.ReadAsync(buffer, cancellationToken);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                _breaking.Dispose();
                body.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
