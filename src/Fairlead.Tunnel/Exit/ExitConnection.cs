using Fairlead.Tunnel.Http;
using Fairlead.Tunnel.Link;
using Fairlead.Tunnel.Tls;

namespace Fairlead.Tunnel.Exit;

/// <summary>The gateway's end of an agent's connection: opens flows that the agent dials. Owns the connection.</summary>
public sealed class ExitConnection : IAsyncDisposable
{
    private static readonly TimeSpan PingInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan PingTimeout = TimeSpan.FromSeconds(5);

    private readonly HttpCarrier _http;
    private readonly Stream _transport;
    private Stream? _connection;

    /// <param name="connection">On which the agent has proved itself.</param>
    internal ExitConnection(Stream connection)
    {
        _transport = _connection = connection;
        _http = new HttpCarrier("exit", Connect, severalConnections: false, Uri.UriSchemeHttp);
    }

    /// <summary>Below the streams that the agent allows on its connection, so that no open waits for another flow's end.</summary>
    public bool HasRoom => _http.Flows < LaneLoad.MaxFlows;

    public ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, CancellationToken cancellationToken) => _http.OpenAsync(target, cancellationToken);

    public ValueTask<FlowOpening<IDatagramFlow>> OpenDatagramsAsync(FlowTarget target, CancellationToken cancellationToken) => _http.OpenDatagramsAsync(target, cancellationToken);

    /// <summary>Completes when the agent no longer answers.</summary>
    public async Task WaitUntilLostAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        while (true)
        {
            using var limit = new CancellationTokenSource(PingTimeout, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            try
            {
                await _http.PingAsync(either.Token);
            }
            catch (Exception e) when (e is CarrierException or OperationCanceledException)
            {
                cancellationToken.ThrowIfCancellationRequested();
                return;
            }

            await Task.Delay(PingInterval, time, cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _http.DisposeAsync();
        await _transport.DisposeAsync();
    }

    /// <summary>The connection, once: it has ended when the handler asks for another.</summary>
    private Task<Stream> Connect(CancellationToken cancellationToken) =>
        Interlocked.Exchange(ref _connection, null) is { } connection ? Task.FromResult(connection) : throw new IOException("The agent's connection has ended.");
}
