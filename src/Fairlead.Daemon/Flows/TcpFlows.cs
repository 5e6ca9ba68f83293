using System.Net;
using System.Net.Sockets;
using Fairlead.Contracts.Gateway;
using Fairlead.Platform.Capture;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Relay;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Flows;

/// <summary>Where a captured flow leads.</summary>
/// <param name="Opener">The link of the space.</param>
internal sealed record FlowDestination(IFlowOpener Opener, FlowTarget Target, FlowCounters Counters);

/// <summary>Null: nothing is consumed at that address and port.</summary>
internal delegate FlowDestination? FindDestination(IPEndPoint destination, TransportProtocol protocol);

/// <summary>
/// Accepts captured TCP connections and relays each to its service. A flow that can't be opened, or breaks, is reset: an application never takes
/// a cut stream for a complete one.
/// </summary>
internal sealed partial class TcpFlows(ILoopbackCapture capture, FindDestination find, TimeProvider time, ILogger<TcpFlows> logger)
{
    /// <summary>At once, of all spaces: above it connections are reset instead of exhausting memory and descriptors (two of each per flow).</summary>
    internal const int MaxFlows = 16_384;

    /// <summary>A TCP client gives up much later; a person doesn't.</summary>
    internal static readonly TimeSpan OpenTimeout = TimeSpan.FromSeconds(10);

    private readonly Outstanding flows = new(MaxFlows);
    private long refused;
    private long overloaded;

    public int Open => flows.Count;

    /// <summary>Flows that could not be opened, since the start.</summary>
    public long Refused => Volatile.Read(ref refused);

    /// <summary>Connections that were reset because <see cref="MaxFlows"/> were open.</summary>
    public long Overloaded => Volatile.Read(ref overloaded);

    /// <summary>Accepts until cancelled or the capture is disposed, then resets what is open and waits for it.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await AcceptAsync(cancellationToken);
        await flows.CloseAsync();
    }

    /// <summary>One loop: a second accept that waits at the same socket is woken for each connection only to find none.</summary>
    private async Task AcceptAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            CapturedConnection connection;
            try
            {
                connection = await capture.AcceptAsync(cancellationToken);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException e)
            {
                // Out of descriptors or memory, or a connection that was gone before it was taken: the listener lives on.
                LogAcceptFailed(e.Message);
                await Task.Delay(TimeSpan.FromMilliseconds(50), time, CancellationToken.None);
                continue;
            }

            Begin(connection, cancellationToken);
        }
    }

    private void Begin(CapturedConnection connection, CancellationToken cancellationToken)
    {
        if (!flows.TryEnter())
        {
            if (Interlocked.Increment(ref overloaded) % 1000 == 1)
            {
                LogOverloaded(MaxFlows);
            }

            Reset(connection.Socket);
            return;
        }

        // Owned by the group, which RunAsync waits for; it never throws.
        _ = HandleAsync(connection, cancellationToken);
    }

    private async Task HandleAsync(CapturedConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            await RelayAsync(connection, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            Reset(connection.Socket);
        }
        catch (Exception e)
        {
            LogFailed(connection.OriginalDestination, e);
            Reset(connection.Socket);
        }
        finally
        {
            flows.Exit();
        }
    }

    private async Task RelayAsync(CapturedConnection connection, CancellationToken cancellationToken)
    {
        if (find(connection.OriginalDestination, TransportProtocol.Tcp) is not { } destination)
        {
            LogUnknown(connection.OriginalDestination);
            Reset(connection.Socket);
            return;
        }

        connection.Socket.NoDelay = true;
        var early = new EarlyData(connection.Socket);
        var (flow, refusal) = await OpenAsync(destination, early, cancellationToken);
        if (flow is null)
        {
            Interlocked.Increment(ref refused);
            LogRefused(destination.Target, refusal?.Failure ?? FlowFailure.TimedOut, refusal?.Message ?? "no answer");
            Reset(connection.Socket);
            return;
        }

        var ending = await FlowRelay.RunAsync(flow, early, destination.Counters, cancellationToken);
        LogEnded(destination.Target, ending.Reason, ending.Message, ending.BytesFromSocket, ending.BytesToSocket);
    }

    private async Task<FlowOpening<IFlow>> OpenAsync(FlowDestination destination, EarlyData early, CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(OpenTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            return await destination.Opener.OpenAsync(destination.Target, early, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new FlowOpening<IFlow>(null, new FlowRefusal(FlowFailure.TimedOut, $"no answer within {OpenTimeout.TotalSeconds:0} s"));
        }
    }

    /// <summary>RST instead of FIN (SO_LINGER 0, tcp(7)): the application must not take this for a complete stream.</summary>
    private static void Reset(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Already closed by the other side, or by the relay.
        }

        socket.Dispose();
    }

    [LoggerMessage(4001, LogLevel.Warning, "A captured connection could not be accepted: {Reason}")]
    private partial void LogAcceptFailed(string reason);

    [LoggerMessage(4002, LogLevel.Warning, "{Max} flows are open: new connections are reset")]
    private partial void LogOverloaded(int max);

    [LoggerMessage(4003, LogLevel.Debug, "{Destination} is not consumed any more")]
    private partial void LogUnknown(IPEndPoint destination);

    [LoggerMessage(4004, LogLevel.Information, "{Target} could not be opened: {Failure}, {Reason}")]
    private partial void LogRefused(FlowTarget target, FlowFailure failure, string reason);

    [LoggerMessage(4005, LogLevel.Debug, "{Target} ended: {Reason} {Detail} ({Sent} bytes sent, {Received} received)")]
    private partial void LogEnded(FlowTarget target, RelayEnd reason, string detail, long sent, long received);

    [LoggerMessage(4006, LogLevel.Error, "A flow to {Destination} failed")]
    private partial void LogFailed(IPEndPoint destination, Exception exception);
}
