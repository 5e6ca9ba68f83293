using System.Buffers;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Fairlead.Contracts.Gateway;
using Fairlead.Platform;
using Fairlead.Platform.Capture;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Flows;

/// <summary>
/// Carries captured UDP, or pings in the form of it: one association for each pair of a local program's socket and a service's address and port, as a NAT would
/// (RFC 4787). Datagrams may be lost wherever a queue is full, and are counted.
/// </summary>
internal sealed partial class DatagramFlows(
    IDatagramCapture capture, FindDestination find, TimeProvider time, ILogger<DatagramFlows> logger, TransportProtocol protocol = TransportProtocol.Udp)
{
    /// <summary>At once, of all spaces: each has a buffer of 64 KiB. A further one ends the one that was idle for longest.</summary>
    internal const int MaxAssociations = 1024;

    /// <summary>RFC 4787 §4.3 asks for 120 s or more.</summary>
    internal static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(120);

    /// <summary>How late an idle association may be noticed; nothing ticks while there is none.</summary>
    internal static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<(IPEndPoint Client, IPEndPoint Destination), DatagramAssociation> associations = new();

    // Those that are about to end count too.
    private readonly Outstanding running = new(2 * MaxAssociations);
    private readonly Lock sweepGate = new();
    private ITimer? sweeper;
    private long dropped;

    public int Open => associations.Count;

    /// <summary>Datagrams that were dropped because a queue or the table was full, nothing is there any more, or the far side refused.</summary>
    public long Dropped => Volatile.Read(ref dropped);

    /// <summary>Receives until cancelled or the capture is disposed or lost, then ends every association and waits for it.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var buffer = new byte[DatagramAssociation.MaxDatagram];
        while (true)
        {
            try
            {
                Deliver(await capture.ReceiveAsync(buffer, cancellationToken), buffer, cancellationToken);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or HostException)
            {
                break;
            }
            catch (SocketException e)
            {
                LogReceiveFailed(e.Message);
                await Task.Delay(TimeSpan.FromMilliseconds(50), time, CancellationToken.None);
            }
        }

        foreach (var association in associations.Values)
        {
            association.Stop();
        }

        await running.CloseAsync();
        if (sweeper is not null)
        {
            await sweeper.DisposeAsync();
        }
    }

    private void Deliver(CapturedDatagram datagram, byte[] buffer, CancellationToken cancellationToken)
    {
        var key = (datagram.Client, datagram.OriginalDestination);
        if (!associations.TryGetValue(key, out var association))
        {
            if (find(datagram.OriginalDestination, protocol) is not { } destination)
            {
                capture.Refuse(datagram.OriginalDestination, datagram.Client, buffer.AsSpan(0, datagram.Length), CaptureRefusal.Unreachable);
                Drop();
                return;
            }

            if (associations.Count >= MaxAssociations)
            {
                associations.Values.MinBy(other => other.LastActive)?.Stop();
            }

            if (!running.TryEnter())
            {
                if (Drop() % 1000 == 1)
                {
                    LogFull(2 * MaxAssociations);
                }

                return;
            }

            association = new DatagramAssociation(capture, destination, datagram.Client, datagram.OriginalDestination, () => Drop(), time);
            associations[key] = association;

            // Owned by the group, which RunAsync waits for; it never throws.
            _ = RunAsync(key, association, cancellationToken);
            ScheduleSweep();
        }

        association.Deliver(buffer.AsSpan(0, datagram.Length));
    }

    private async Task RunAsync((IPEndPoint, IPEndPoint) key, DatagramAssociation association, CancellationToken cancellationToken)
    {
        // Not on the receiving loop.
        await Task.Yield();
        try
        {
            if (await association.RunAsync(cancellationToken) is { } refusal)
            {
                LogRefused(association.Destination, refusal.Failure, refusal.Message);
            }
        }
        catch (Exception e)
        {
            LogFailed(association.Destination, e);
        }
        finally
        {
            associations.TryRemove(key, out _);
            association.Dispose();
            running.Exit();
        }
    }

    private long Drop() => Interlocked.Increment(ref dropped);

    private void ScheduleSweep()
    {
        lock (sweepGate)
        {
            sweeper ??= time.CreateTimer(_ => Sweep(), null, SweepInterval, Timeout.InfiniteTimeSpan);
        }
    }

    private void Sweep()
    {
        foreach (var association in associations.Values)
        {
            if (time.GetElapsedTime(association.LastActive) >= IdleTimeout)
            {
                association.Stop();
            }
        }

        lock (sweepGate)
        {
            sweeper?.Dispose();
            sweeper = null;
        }

        if (!associations.IsEmpty)
        {
            ScheduleSweep();
        }
    }

    [LoggerMessage(4101, LogLevel.Warning, "Captured datagrams could not be received: {Reason}")]
    private partial void LogReceiveFailed(string reason);

    [LoggerMessage(4102, LogLevel.Warning, "{Max} UDP associations are open: datagrams of further ones are dropped")]
    private partial void LogFull(int max);

    [LoggerMessage(4103, LogLevel.Information, "{Target} could not be opened or broke: {Failure}, {Reason}")]
    private partial void LogRefused(Tunnel.FlowTarget target, Tunnel.FlowFailure failure, string reason);

    [LoggerMessage(4104, LogLevel.Error, "The UDP association to {Target} failed")]
    private partial void LogFailed(Tunnel.FlowTarget target, Exception exception);
}
