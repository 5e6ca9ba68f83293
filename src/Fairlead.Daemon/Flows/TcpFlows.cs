using System.Net;
using System.Net.Sockets;
using Fairlead.Contracts.Gateway;
using Fairlead.Platform;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Relay;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Flows;

/// <summary>Where a captured flow leads.</summary>
/// <param name="Opener">The link of the space.</param>
/// <param name="Troubles">Is told how TCP flows fare.</param>
internal sealed record FlowDestination(IFlowOpener Opener, FlowTarget Target, FlowCounters Counters, FlowTroubles? Troubles = null);

/// <summary>Null: nothing of any space is at that address and port.</summary>
internal delegate FlowDestination? FindDestination(IPEndPoint destination, TransportProtocol protocol);

/// <summary>
/// Takes captured TCP connections and relays each to its service. A flow that can't be opened is refused, or reset where the capture has accepted it already, as is one that breaks:
/// an application never takes a cut stream for a complete one.
/// </summary>
/// <param name="maxFlows">At once, of all spaces: above it connections are refused.</param>
internal sealed partial class TcpFlows(IConnectionSource source, FindDestination find, TimeProvider time, ILogger<TcpFlows> logger, int maxFlows = TcpFlows.MaxFlows)
{
    /// <summary>Of the loopback capture: instead of exhausting memory and descriptors (two of each per flow).</summary>
    internal const int MaxFlows = 16_384;

    /// <summary>A TCP client gives up much later; a person doesn't.</summary>
    internal static readonly TimeSpan OpenTimeout = TimeSpan.FromSeconds(10);

    private readonly Outstanding flows = new(maxFlows);
    private long refused;
    private long overloaded;

    public int Open => flows.Count;

    /// <summary>Flows that could not be opened, since the start.</summary>
    public long Refused => Volatile.Read(ref refused);

    /// <summary>Connections that were refused because too many were open.</summary>
    public long Overloaded => Volatile.Read(ref overloaded);

    /// <summary>Accepts until cancelled or the capture is disposed or lost, then resets what is open and waits for it.</summary>
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
            CapturedFlow connection;
            try
            {
                connection = await source.AcceptAsync(cancellationToken);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or HostException)
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

    private void Begin(CapturedFlow connection, CancellationToken cancellationToken)
    {
        if (!flows.TryEnter())
        {
            if (Interlocked.Increment(ref overloaded) % 1000 == 1)
            {
                LogOverloaded(maxFlows);
            }

            connection.Refuse(FlowFailure.Overloaded);
            return;
        }

        // Owned by the group, which RunAsync waits for; it never throws.
        _ = HandleAsync(connection, cancellationToken);
    }

    private async Task HandleAsync(CapturedFlow connection, CancellationToken cancellationToken)
    {
        try
        {
            await RelayAsync(connection, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            connection.Refuse(FlowFailure.LinkDown);
        }
        catch (Exception e)
        {
            LogFailed(connection.Destination, e);
            connection.Refuse(FlowFailure.LinkDown);
        }
        finally
        {
            flows.Exit();
        }
    }

    private async Task RelayAsync(CapturedFlow connection, CancellationToken cancellationToken)
    {
        if (find(connection.Destination, TransportProtocol.Tcp) is not { } destination)
        {
            LogUnknown(connection.Destination);
            connection.Refuse(FlowFailure.Unreachable);
            return;
        }

        var (flow, refusal) = await OpenAsync(destination, connection.Early, cancellationToken);
        if (flow is null)
        {
            var failure = refusal?.Failure ?? FlowFailure.TimedOut;
            Interlocked.Increment(ref refused);
            destination.Troubles?.Refused(destination.Target, failure);
            LogRefused(destination.Target, failure, refusal?.Message ?? "no answer");
            connection.Refuse(failure);
            return;
        }

        if (await ConnectAsync(connection, flow, cancellationToken) is { } connected)
        {
            var ending = await FlowRelay.RunAsync(flow, connected, destination.Counters, cancellationToken);
            destination.Troubles?.Ended(destination.Target, ending);
            LogEnded(destination.Target, ending.Reason, ending.Message, ending.BytesFromSocket, ending.BytesToSocket);
        }
    }

    /// <summary>The flow is the relay's once this has returned a socket; otherwise it has been reset.</summary>
    private static async Task<EarlyData?> ConnectAsync(CapturedFlow connection, IFlow flow, CancellationToken cancellationToken)
    {
        EarlyData? connected = null;
        try
        {
            connected = await connection.ConnectAsync(cancellationToken);
        }
        finally
        {
            if (connected is null)
            {
                await flow.DisposeAsync();
            }
        }

        return connected;
    }

    private async Task<FlowOpening<IFlow>> OpenAsync(FlowDestination destination, EarlyData? early, CancellationToken cancellationToken)
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

    [LoggerMessage(4001, LogLevel.Warning, "A captured connection could not be accepted: {Reason}")]
    private partial void LogAcceptFailed(string reason);

    [LoggerMessage(4002, LogLevel.Warning, "{Max} flows are open: new connections are refused")]
    private partial void LogOverloaded(int max);

    [LoggerMessage(4003, LogLevel.Debug, "{Destination} is nothing of any space")]
    private partial void LogUnknown(IPEndPoint destination);

    [LoggerMessage(4004, LogLevel.Information, "{Target} could not be opened: {Failure}, {Reason}")]
    private partial void LogRefused(FlowTarget target, FlowFailure failure, string reason);

    [LoggerMessage(4005, LogLevel.Debug, "{Target} ended: {Reason} {Detail} ({Sent} bytes sent, {Received} received)")]
    private partial void LogEnded(FlowTarget target, RelayEnd reason, string detail, long sent, long received);

    [LoggerMessage(4006, LogLevel.Error, "A flow to {Destination} failed")]
    private partial void LogFailed(IPEndPoint destination, Exception exception);
}
