using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel.Tls;

namespace Fairlead.Tunnel.Http;

/// <summary>The laptop's end of flows over HTTP/2, on a few connections of its own.</summary>
internal sealed class HttpCarrier : IAsyncDisposable
{
    private static readonly Version Http2 = HttpVersion.Version20;

    private readonly HttpMessageInvoker _invoker;
    private readonly Uri _base;
    private readonly Action _flowEnded;
    private int _flows;

    /// <param name="connect">Makes an authenticated connection (an <see cref="System.Net.Security.SslStream"/>) to the gateway's API.</param>
    /// <param name="severalConnections">Another one where the streams of one don't suffice.</param>
    /// <param name="scheme"><c>http</c> where the connection, whatever secures it, is no <see cref="System.Net.Security.SslStream"/> that agreed on HTTP/2.</param>
    public HttpCarrier(string serverName, Func<CancellationToken, Task<Stream>> connect, bool severalConnections = true, string scheme = "https")
    {
        _base = new Uri($"{scheme}://{serverName}");
        var handler = CreateHandler(connect);
        handler.EnableMultipleHttp2Connections = severalConnections;
        _invoker = new HttpMessageInvoker(handler);
        _flowEnded = () => Interlocked.Decrement(ref _flows);
    }

    /// <summary>Flows that are open or being opened.</summary>
    public int Flows => Volatile.Read(ref _flows);

    /// <summary>A handler whose connections are made, and authenticated, by <paramref name="connect"/>.</summary>
    public static SocketsHttpHandler CreateHandler(Func<CancellationToken, Task<Stream>> connect) => new()
    {
        ConnectCallback = async (_, cancellationToken) => await connect(cancellationToken),
        UseProxy = false,
        AllowAutoRedirect = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.None,
        EnableMultipleHttp2Connections = true,
        ConnectTimeout = TimeSpan.FromSeconds(10),

        // One second is the least that the handler takes; the link's own heartbeat is what notices a dead peer.
        KeepAlivePingDelay = TimeSpan.FromSeconds(1),
        KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
        KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
        PooledConnectionIdleTimeout = TimeSpan.FromMinutes(1),

        // A renewed certificate is shown within the hour; streams that are open stay on their connection.
        PooledConnectionLifetime = TimeSpan.FromHours(1),
        InitialHttp2StreamWindowSize = 512 * 1024,
    };

    public async ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, CancellationToken cancellationToken)
    {
        var (stream, reset, refusal) = await ConnectAsync(target, cancellationToken);
        return new FlowOpening<IFlow>(stream is null ? null : new HttpFlow(stream, client: true, reset!), refusal);
    }

    public async ValueTask<FlowOpening<IDatagramFlow>> OpenDatagramsAsync(FlowTarget target, CancellationToken cancellationToken)
    {
        var (stream, reset, refusal) = await ConnectAsync(target, cancellationToken);
        return new FlowOpening<IDatagramFlow>(stream is null ? null : new HttpDatagramFlow(stream, reset!), refusal);
    }

    /// <summary>Any request to the gateway's API.</summary>
    /// <exception cref="HttpRequestException">The connection broke or could not be had.</exception>
    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        request.RequestUri = new Uri(_base, request.RequestUri!.PathAndQuery);
        return _invoker.SendAsync(request, cancellationToken);
    }

    /// <summary>One request over the connections that flows go by.</summary>
    /// <exception cref="CarrierException">The gateway refused, or can't be reached.</exception>
    public async Task PingAsync(CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(_base, FlowPaths.Ping)) { Version = Http2, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        try
        {
            using var response = await _invoker.SendAsync(request, cancellationToken);
            if (response.StatusCode != HttpStatusCode.NoContent)
            {
                throw LinkProblems.OfRefusal(FlowPaths.Parse(response));
            }
        }
        catch (HttpRequestException e)
        {
            throw LinkProblems.Of(e, _base.Host);
        }
    }

    public ValueTask DisposeAsync()
    {
        _invoker.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<(CapsuleStream? Stream, Action? Reset, FlowRefusal? Refusal)> ConnectAsync(FlowTarget target, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Connect, new Uri(_base, FlowPaths.Of(target))) { Version = Http2, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        request.Headers.Protocol = FlowPaths.ProtocolOf(target.Protocol);
        request.Headers.TryAddWithoutValidation("Capsule-Protocol", "?1");
        if (target.Via is { } via)
        {
            request.Headers.TryAddWithoutValidation(FlowPaths.ViaHeader, via);
        }

        Interlocked.Increment(ref _flows);
        var opened = false;
        try
        {
            var response = await _invoker.SendAsync(request, cancellationToken);
            if (response.StatusCode != HttpStatusCode.OK)
            {
                using (response)
                {
                    var refusal = FlowPaths.Parse(response);
                    TunnelMetrics.Opened(refusal.Failure, client: true);
                    return (null, null, refusal);
                }
            }

            TunnelMetrics.Opened(FlowFailure.None, client: true);
            var stream = new CapsuleStream(await response.Content.ReadAsStreamAsync(cancellationToken), _flowEnded, readAhead: target.Protocol != TransportProtocol.Tcp);
            opened = true;
            return (stream, response.Dispose, null);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            TunnelMetrics.Opened(FlowFailure.LinkDown, client: true);
            return (null, null, new FlowRefusal(FlowFailure.LinkDown, (e.InnerException ?? e).Message));
        }
        finally
        {
            if (!opened)
            {
                _flowEnded();
            }
        }
    }
}
