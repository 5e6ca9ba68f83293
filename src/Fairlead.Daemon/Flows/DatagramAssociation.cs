using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Fairlead.Platform.Capture;
using Fairlead.Tunnel;

namespace Fairlead.Daemon.Flows;

/// <summary>One UDP association: datagrams of one local socket to one service and back.</summary>
internal sealed class DatagramAssociation : IDisposable
{
    /// <summary>The longest payload of UDP over IPv4.</summary>
    internal const int MaxDatagram = 65_507;

    /// <summary>Waiting while the flow is opened or its carrier is slow: about what the socket of a program that receives them holds.</summary>
    internal const int MaxQueued = 256;
    internal const int MaxQueuedBytes = 512 * 1024;

    /// <summary>After a refusal, datagrams are dropped this long before the far side is asked again.</summary>
    internal static readonly TimeSpan RefusalPause = TimeSpan.FromSeconds(1);

    private readonly IDatagramCapture capture;
    private readonly FlowDestination destination;
    private readonly IPEndPoint client;
    private readonly IPEndPoint source;
    private readonly Action drop;
    private readonly TimeProvider time;
    private readonly CancellationTokenSource stopping = new();
    private readonly Channel<ArraySegment<byte>> queue = Channel.CreateBounded<ArraySegment<byte>>(
        new BoundedChannelOptions(MaxQueued) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });

    // The beginning of what was sent last: an error that comes later is about it.
    private readonly byte[] lastSent = new byte[8];
    private int lastLength;
    private int queuedBytes;
    private long lastActive;
    private FlowRefusal? refused;

    public DatagramAssociation(IDatagramCapture capture, FlowDestination destination, IPEndPoint client, IPEndPoint source, Action drop, TimeProvider time)
    {
        this.capture = capture;
        this.destination = destination;
        this.client = client;
        this.source = source;
        this.drop = drop;
        this.time = time;
        lastActive = time.GetTimestamp();
    }

    public FlowTarget Destination => destination.Target;

    /// <summary>A timestamp of the time provider.</summary>
    public long LastActive => Volatile.Read(ref lastActive);

    /// <summary>Takes a datagram from the local program; drops it when the queue is full, or refuses it when the flow was.</summary>
    public void Deliver(ReadOnlySpan<byte> datagram)
    {
        if (Volatile.Read(ref refused) is { } reason)
        {
            Refuse(datagram, reason);
            return;
        }

        if (Interlocked.Add(ref queuedBytes, datagram.Length) <= MaxQueuedBytes)
        {
            var copy = new ArraySegment<byte>(ArrayPool<byte>.Shared.Rent(Math.Max(1, datagram.Length)), 0, datagram.Length);
            datagram.CopyTo(copy);
            if (queue.Writer.TryWrite(copy))
            {
                return;
            }

            ArrayPool<byte>.Shared.Return(copy.Array!);
        }

        Interlocked.Add(ref queuedBytes, -datagram.Length);
        drop();
    }

    public void Stop()
    {
        try
        {
            stopping.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It ended by itself meanwhile.
        }
    }

    /// <summary>Opens the flow and carries datagrams until stopped or the far side ends it.</summary>
    /// <returns>Why it could not be opened or broke; null when it just ended.</returns>
    public async Task<FlowRefusal?> RunAsync(CancellationToken cancellationToken)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token, cancellationToken);
        try
        {
            var (flow, refusal) = await OpenAsync(ending.Token);
            if (flow is null)
            {
                RefuseQueued(refusal ?? new FlowRefusal(FlowFailure.TimedOut, "no answer"));
                await Task.Delay(RefusalPause, time, ending.Token);
                return refusal;
            }

            await using (flow)
            {
                await CarryAsync(flow, ending);
            }

            return null;
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            return null;
        }
        catch (FlowAbortedException e)
        {
            var refusal = new FlowRefusal(e.Failure, e.Message);
            Refuse(lastSent.AsSpan(0, lastLength), refusal);
            return refusal;
        }
        finally
        {
            queue.Writer.TryComplete();
            while (queue.Reader.TryRead(out var left))
            {
                ArrayPool<byte>.Shared.Return(left.Array!);
                drop();
            }
        }
    }

    public void Dispose() => stopping.Dispose();

    private void RefuseQueued(FlowRefusal reason)
    {
        Volatile.Write(ref refused, reason);
        while (queue.Reader.TryRead(out var datagram))
        {
            Refuse(datagram, reason);
            ArrayPool<byte>.Shared.Return(datagram.Array!);
        }
    }

    private void Refuse(ReadOnlySpan<byte> datagram, FlowRefusal reason)
    {
        capture.Refuse(source, client, datagram, reason.Failure.ToCapture());
        drop();
    }

    private async Task<FlowOpening<IDatagramFlow>> OpenAsync(CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(TcpFlows.OpenTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            return await destination.Opener.OpenDatagramsAsync(destination.Target, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new FlowOpening<IDatagramFlow>(null, new FlowRefusal(FlowFailure.TimedOut, $"no answer within {TcpFlows.OpenTimeout.TotalSeconds:0} s"));
        }
    }

    private async Task CarryAsync(IDatagramFlow flow, CancellationTokenSource ending)
    {
        var sending = SendAsync(flow, ending.Token);
        var receiving = ReceiveAsync(flow, ending.Token);
        try
        {
            await await Task.WhenAny(sending, receiving);
        }
        finally
        {
            await ending.CancelAsync();
            await Task.WhenAll(sending, receiving).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task SendAsync(IDatagramFlow flow, CancellationToken cancellationToken)
    {
        while (await queue.Reader.WaitToReadAsync(cancellationToken))
        {
            while (queue.Reader.TryRead(out var datagram))
            {
                Interlocked.Add(ref queuedBytes, -datagram.Count);
                lastLength = Math.Min(datagram.Count, lastSent.Length);
                datagram.AsSpan(0, lastLength).CopyTo(lastSent);
                try
                {
                    await flow.SendAsync(datagram, cancellationToken);
                }
                finally
                {
                    ArrayPool<byte>.Shared.Return(datagram.Array!);
                }
            }

            await flow.FlushAsync(cancellationToken);
            Volatile.Write(ref lastActive, time.GetTimestamp());
        }
    }

    private async Task ReceiveAsync(IDatagramFlow flow, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(MaxDatagram);
        try
        {
            int length;
            while ((length = await flow.ReceiveAsync(buffer, cancellationToken)) >= 0)
            {
                try
                {
                    await capture.SendAsync(source, client, buffer.AsMemory(0, length), cancellationToken);
                    Volatile.Write(ref lastActive, time.GetTimestamp());
                }
                catch (SocketException)
                {
                    drop();
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
