using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel.Dial;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tunnel.Direct;

/// <summary>The laptop's end of the direct carrier: a pool of mutual-TLS connections to one gateway endpoint, one flow on each at a time.</summary>
public sealed class DirectCarrier : IAsyncDisposable
{
    /// <summary>
    /// Flows of datagrams at once: each keeps its connection until it was idle for two minutes, and a program that asks each question from a port of its own makes many.
    /// </summary>
    internal const int MaxDatagramFlows = 32;

    private readonly DirectDialer _dialer;
    private readonly DirectConnectionPool _pool;
    private readonly Action<DirectFlow> _ended;
    private readonly ConcurrentDictionary<DirectFlow, bool> _datagrams = new();
    private int _datagramFlows;

    /// <param name="endpoint">The gateway's data port.</param>
    /// <param name="proxy">Default: HTTPS_PROXY and NO_PROXY of the environment.</param>
    public DirectCarrier(DnsEndPoint endpoint, TunnelTls tls, DirectCarrierOptions? options = null, ILogger? logger = null, TimeProvider? time = null, IWebProxy? proxy = null)
    {
        options ??= new DirectCarrierOptions();
        _dialer = new DirectDialer(endpoint.Host, endpoint.Port, tls, new GatewayDialer(proxy), options.ConnectTimeout);
        _pool = new DirectConnectionPool(_dialer, options, logger ?? NullLogger.Instance, time ?? TimeProvider.System);
        _ended = OnEnded;
    }

    internal int IdleConnections => _pool.IdleCount;

    /// <summary>Opens a TCP flow. A refusal with <see cref="FlowFailure.LinkDown"/> means that no connection could be had.</summary>
    public async ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, EarlyData? early, CancellationToken cancellationToken)
    {
        if (target.Protocol != TransportProtocol.Tcp)
        {
            throw new ArgumentException("Flows of datagrams have a way of their own.", nameof(target));
        }

        var (flow, refusal, _) = await OpenAnyAsync(target, early, cancellationToken);
        return new FlowOpening<IFlow>(flow, refusal);
    }

    /// <summary>Opens a flow of datagrams.</summary>
    /// <returns>Null: it must go another way, because the gateway is an earlier version, or there are <see cref="MaxDatagramFlows"/> already.</returns>
    public async ValueTask<FlowOpening<IDatagramFlow>?> OpenDatagramsAsync(FlowTarget target, CancellationToken cancellationToken)
    {
        if (Interlocked.Increment(ref _datagramFlows) > MaxDatagramFlows)
        {
            Interlocked.Decrement(ref _datagramFlows);
            return null;
        }

        DirectFlow? flow = null;
        try
        {
            (flow, var refusal, var unable) = await OpenAnyAsync(target, null, cancellationToken);
            if (flow is not { } opened)
            {
                return unable ? null : new FlowOpening<IDatagramFlow>(null, refusal);
            }

            _datagrams[opened] = true;
            return new FlowOpening<IDatagramFlow>(new DirectDatagramFlow(opened, () =>
            {
                _datagrams.TryRemove(opened, out _);
                Interlocked.Decrement(ref _datagramFlows);
            }), null);
        }
        finally
        {
            if (flow is null)
            {
                Interlocked.Decrement(ref _datagramFlows);
            }
        }
    }

    public ValueTask DisposeAsync() => _pool.DisposeAsync();

    /// <summary>Makes spare connections now.</summary>
    internal void Warm() => _pool.Warm();

    /// <summary>Closes the idle connections; those in use stay.</summary>
    internal void ClearIdle() => _pool.Clear();

    /// <summary>
    /// Ends the flows of datagrams by a replica that fell silent, and by those whose names aren't known: unlike a stream they begin anew by another with nothing lost but datagrams.
    /// </summary>
    internal void EndDatagrams(string replica)
    {
        foreach (var (flow, _) in _datagrams)
        {
            if (flow.Connection.Replica.Length == 0 || flow.Connection.Replica == replica)
            {
                flow.Abort(FlowFailure.LinkDown);
            }
        }
    }

    /// <summary>A connection for pings, outside the pool.</summary>
    /// <exception cref="CarrierException">None could be had.</exception>
    internal Task<DirectConnection> DialAsync(CancellationToken cancellationToken) => _dialer.DialAsync(cancellationToken);

    /// <summary>One ping on a connection of <see cref="DialAsync"/>: over the same port, TLS and server loop as flows.</summary>
    /// <exception cref="CarrierException">The gateway answered anything else, or nothing.</exception>
    internal async Task PingAsync(DirectConnection connection, long number, CancellationToken cancellationToken)
    {
        try
        {
            var echo = new byte[FrameHeader.PingLength];
            BinaryPrimitives.WriteInt64BigEndian(echo, number);
            await connection.WriteAsync(FrameCodec.Ping(FrameType.Ping, echo), cancellationToken);
            var header = await connection.ReadHeaderAsync(cancellationToken);
            if (header.Type == FrameType.End)
            {
                throw new FlowAbortedException(FlowFailure.LinkDown, "The gateway closed the connection.");
            }

            var payload = await connection.ReadPayloadAsync(header, cancellationToken);
            if (header.Type == FrameType.Abort)
            {
                throw LinkProblems.OfRefusal(FrameCodec.ParseOutcome(payload));
            }

            if (header.Type != FrameType.Pong || !payload.AsSpan().SequenceEqual(echo))
            {
                throw new FlowAbortedException(FlowFailure.ProtocolError, "The gateway answered a ping with something else.");
            }
        }
        catch (Exception e) when (e is not OperationCanceledException && DirectConnection.IsConnectionFailure(e))
        {
            throw LinkProblems.Of(e, _dialer.Where);
        }
    }

    private async ValueTask<Outcome> OpenAnyAsync(FlowTarget target, EarlyData? early, CancellationToken cancellationToken)
    {
        var open = FrameCodec.Open(target);
        var datagrams = target.Protocol != TransportProtocol.Tcp;
        var opening = await OpenAsync(open, early, datagrams, fresh: false, cancellationToken)
            ?? await OpenAsync(open, early, datagrams, fresh: true, cancellationToken)
            ?? new Outcome(null, new FlowRefusal(FlowFailure.LinkDown, $"{_dialer.Where} ended the connection instead of an answer"));
        if (!opening.Unable)
        {
            TunnelMetrics.Opened(opening.Refusal?.Failure ?? FlowFailure.None, client: true);
        }

        return opening;
    }

    /// <returns>Null when a fresh connection should be tried: this one had died, or its gateway is going away.</returns>
    private async ValueTask<Outcome?> OpenAsync(byte[] open, EarlyData? early, bool datagrams, bool fresh, CancellationToken cancellationToken)
    {
        PooledConnection pooled;
        try
        {
            pooled = fresh ? await _pool.DialFreshAsync(cancellationToken) : await _pool.TakeAsync(cancellationToken);
        }
        catch (CarrierException e)
        {
            return new Outcome(null, LinkProblems.RefusalOf(e));
        }

        var connection = pooled.Connection;
        if (datagrams && !connection.CarriesDatagrams)
        {
            _pool.ReturnUnused(pooled);
            return new Outcome(null, null, Unable: true);
        }

        var sendEarly = early is not null && !pooled.Doubtful;
        try
        {
            if (!sendEarly)
            {
                await connection.WriteAsync(open, cancellationToken);
            }
            else
            {
                await WriteAsync(connection, open, early!, pooled.Next, cancellationToken);
            }

            var header = await pooled.Next.WaitAsync(cancellationToken);
            if (header.Type is not (FrameType.Answer or FrameType.Abort))
            {
                if (header.Type == FrameType.End)
                {
                    await connection.DisposeAsync();
                    return SentEarly() ? Lost : pooled.WasIdle ? null : Broken("the connection ended instead of an answer");
                }

                connection.Abort(FlowFailure.ProtocolError, "An answer was due.");
                await connection.DisposeAsync();
                return new Outcome(null, new FlowRefusal(FlowFailure.ProtocolError, $"The gateway sent {header.Type} instead of an answer"));
            }

            var outcome = FrameCodec.ParseOutcome(await connection.ReadPayloadAsync(header, cancellationToken));
            if (header.Type == FrameType.Abort || outcome.Failure == FlowFailure.Draining)
            {
                // The gateway is about to close it. Another replica may take a fresh one.
                await connection.DisposeAsync();
                return pooled.WasIdle ? null : new Outcome(null, outcome);
            }

            if (outcome.Failure != FlowFailure.None)
            {
                _pool.Return(connection);
                return new Outcome(null, outcome);
            }

            early?.Delivered = SentEarly();
            return new Outcome(new DirectFlow(connection, _ended), null);
        }
        catch (OperationCanceledException)
        {
            connection.Abort(FlowFailure.Reset, "Nobody waits for the answer any more.");
            await connection.DisposeAsync();
            throw;
        }
        catch (Exception e) when (DirectConnection.IsConnectionFailure(e))
        {
            await connection.DisposeAsync();
            return SentEarly() ? Lost : pooled.WasIdle ? null : Broken(e.Message);
        }

        // Or tried to: part of it may have left.
        bool SentEarly() => sendEarly && !early!.Taken.IsEmpty;
    }

    /// <summary>The open, and what the application sent: with it when it is there, else as soon as it comes, while the answer is awaited.</summary>
    private static async ValueTask WriteAsync(DirectConnection connection, byte[] open, EarlyData early, Task answer, CancellationToken cancellationToken)
    {
        var data = early.Take();
        await connection.WriteAsync(data.IsEmpty ? open : FrameCodec.WithData(open, data.Span), cancellationToken);
        if (data.IsEmpty)
        {
            await Task.WhenAny(answer, early.Arrived).WaitAsync(cancellationToken);
            if (!answer.IsCompleted && !(data = early.Take()).IsEmpty)
            {
                await connection.WriteAsync(FrameCodec.WithData([], data.Span), cancellationToken);
            }
        }
    }

    /// <summary>Not to be repeated: the bytes may have reached the service.</summary>
    private Outcome Lost =>
        new(null, new FlowRefusal(FlowFailure.Reset, $"{_dialer.Where} vanished before it answered, when the first bytes were on their way; they are not sent twice"));

    private Outcome Broken(string why) => new(null, new FlowRefusal(FlowFailure.LinkDown, $"{_dialer.Where}: {why}"));

    private void OnEnded(DirectFlow flow)
    {
        if (flow.Completed)
        {
            _pool.Return(flow.Connection);
        }
        else
        {
            flow.Connection.Release();
        }
    }

    /// <param name="Unable">Neither: this gateway doesn't know such flows.</param>
    private readonly record struct Outcome(DirectFlow? Flow, FlowRefusal? Refusal, bool Unable = false);
}
