using System.Buffers;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Fairlead.Tunnel.Direct;

namespace Fairlead.Tunnel.Relay;

/// <summary>Why a relay ended; the first reason wins.</summary>
public enum RelayEnd
{
    /// <summary>Both directions completed: every byte was handed on.</summary>
    Completed,

    /// <summary>The local socket was reset or failed; the flow was aborted.</summary>
    SocketReset,

    /// <summary>The flow was reset by its other end, or its carrier broke; the socket was reset.</summary>
    FlowReset,

    /// <summary>The caller cancelled; both were reset.</summary>
    Cancelled,
}

/// <param name="Failure"><see cref="FlowFailure.None"/> when completed.</param>
/// <param name="Message">For a log.</param>
public sealed record RelayEnding(RelayEnd Reason, FlowFailure Failure, long BytesFromSocket, long BytesToSocket, string Message);

/// <summary>Moves bytes between a flow and a connected TCP socket, both ways, with half-close and reset both ways.</summary>
public static class FlowRelay
{
    /// <summary>Runs until both directions completed or either side failed; disposes both the flow and the socket. Never throws for what a peer did.</summary>
    public static Task<RelayEnding> RunAsync(IFlow flow, Socket socket, FlowCounters counters, CancellationToken cancellationToken) =>
        RunAsync(flow, new EarlyData(socket), counters, cancellationToken);

    /// <param name="early">The socket, and what was read from it before the flow was open.</param>
    public static async Task<RelayEnding> RunAsync(IFlow flow, EarlyData early, FlowCounters counters, CancellationToken cancellationToken)
    {
        var socket = early.Socket;
        counters.Opened();
        TunnelMetrics.RelayStarted();
        var relay = new Relay(flow, early, counters);
        await using (cancellationToken.UnsafeRegister(static r => ((Relay)r!).End(RelayEnd.Cancelled, FlowFailure.Reset, "cancelled"), relay))
        {
            // The direction that rarely has anything at first is the first to start: its first wait gives this stack to the other.
            var back = relay.ToSocketAsync();
            await relay.FromSocketAsync();
            await back;
        }

        // Before the dispose: a completed flow's connection then serves others.
        var ending = relay.Ending;
        await flow.DisposeAsync();
        socket.Dispose();
        counters.Closed();
        TunnelMetrics.RelayEnded(ending.Reason);
        return ending;
    }

    private sealed class Relay(IFlow flow, EarlyData early, FlowCounters counters)
    {
        /// <summary>Idle flows hold no buffer, busy ones one in each direction: small until a read fills it.</summary>
        private const int SmallestChunk = 16 * 1024;

        /// <summary>15 TLS records: with what TLS adds they fit the 256 KiB that <see cref="RecordStream"/> sends at once. (Measured, Gbit/s per core: 16 KiB 3.2, 64 KiB 4.0, 128 KiB 4.1, 256 KiB 4.3.)</summary>
        private const int LargestChunk = 240 * 1024;

        /// <summary>Turns that need no waiting, after which others get the thread: with completions on the event threads one busy flow would keep it.</summary>
        private const int MaxTurns = 32;

        private readonly Socket socket = early.Socket;
        private readonly Lock _lock = new();
        private RelayEnding? _ending;
        private long _fromSocket;
        private long _toSocket;

        public RelayEnding Ending => (_ending ?? new RelayEnding(RelayEnd.Completed, FlowFailure.None, 0, 0, "completed")) with
        {
            BytesFromSocket = _fromSocket,
            BytesToSocket = _toSocket,
        };

        public void End(RelayEnd reason, FlowFailure failure, string message)
        {
            lock (_lock)
            {
                if (_ending is not null)
                {
                    return;
                }

                _ending = new RelayEnding(reason, failure, 0, 0, message);
            }

            flow.Abort(failure);
            DirectConnection.Reset(socket);
        }

        public async Task FromSocketAsync()
        {
            try
            {
                var headroom = (flow as IHeadroomFlow)?.Headroom ?? 0;
                var size = SmallestChunk;
                if (!early.Taken.IsEmpty)
                {
                    if (!early.Delivered)
                    {
                        await flow.WriteAsync(early.Taken);
                    }

                    CountFromSocket(early.Taken.Length);
                }

                if (early.Waited is { } waited)
                {
                    await waited;
                }

                for (var turn = 1; ; turn++)
                {
                    var count = await MoveFromSocketAsync(size, headroom);
                    if (count == 0)
                    {
                        break;
                    }

                    CountFromSocket(count);
                    size = NextSize(size, count, headroom);
                    if (turn % MaxTurns == 0 || size > SmallestChunk)
                    {
                        await Task.Yield();
                    }
                }

                await flow.CompleteWritesAsync();
            }
            catch (Exception e)
            {
                EndBy(e);
            }
        }

        public async Task ToSocketAsync()
        {
            try
            {
                var size = SmallestChunk;
                for (var turn = 1; ; turn++)
                {
                    var count = await MoveToSocketAsync(size);
                    if (count == 0)
                    {
                        break;
                    }

                    _toSocket += count;
                    counters.ToSocket(count);
                    TunnelMetrics.ToSocket(count);
                    size = NextSize(size, count, 0);
                    if (turn % MaxTurns == 0 || size > SmallestChunk)
                    {
                        await Task.Yield();
                    }
                }

                socket.Shutdown(SocketShutdown.Send);
            }
            catch (Exception e)
            {
                EndBy(e);
            }
        }

        private void CountFromSocket(int count)
        {
            _fromSocket += count;
            counters.FromSocket(count);
            TunnelMetrics.FromSocket(count);
        }

        private static int NextSize(int size, int count, int headroom) =>
            count + headroom >= size ? Math.Min(size * 2, LargestChunk) : count < size / 8 ? Math.Max(size / 2, SmallestChunk) : size;

        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
        private async ValueTask<int> MoveFromSocketAsync(int size, int headroom)
        {
            await socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None);
            var buffer = ArrayPool<byte>.Shared.Rent(size);
            var count = await socket.ReceiveAsync(buffer.AsMemory(headroom, size - headroom), SocketFlags.None);
            if (count > 0)
            {
                if (flow is IHeadroomFlow framed)
                {
                    await framed.WriteWithHeadroomAsync(buffer.AsMemory(0, headroom + count), CancellationToken.None);
                }
                else
                {
                    await flow.WriteAsync(buffer.AsMemory(0, count));
                }
            }

            // Not in a finally: after a failure the operation that failed may still touch it.
            ArrayPool<byte>.Shared.Return(buffer);
            return count;
        }

        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
        private async ValueTask<int> MoveToSocketAsync(int size)
        {
            await flow.ReadAsync(Memory<byte>.Empty);
            var buffer = ArrayPool<byte>.Shared.Rent(size);
            var count = await flow.ReadAsync(buffer.AsMemory(0, size));
            var rest = buffer.AsMemory(0, count);
            while (!rest.IsEmpty)
            {
                rest = rest[await socket.SendAsync(rest, SocketFlags.None)..];
            }

            ArrayPool<byte>.Shared.Return(buffer);
            return count;
        }

        private void EndBy(Exception e)
        {
            switch (e)
            {
                case FlowAbortedException aborted:
                    End(RelayEnd.FlowReset, aborted.Failure, aborted.Message);
                    break;
                case SocketException or ObjectDisposedException:
                    End(RelayEnd.SocketReset, FlowFailure.Reset, e.Message);
                    break;
                default:
                    End(RelayEnd.FlowReset, FlowFailure.LinkDown, e.Message);
                    break;
            }
        }
    }
}
