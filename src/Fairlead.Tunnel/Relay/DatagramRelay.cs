using System.Buffers;
using System.Net.Sockets;

namespace Fairlead.Tunnel.Relay;

/// <summary>The far side of a datagram flow: a connected socket, so that only the far side is heard, and its ICMP errors. Owns the socket.</summary>
public interface IDatagramSocket : IAsyncDisposable
{
    /// <summary>As <see cref="IDatagramFlow.SendAsync"/>.</summary>
    /// <exception cref="SocketException">Also for what an earlier datagram ran into.</exception>
    ValueTask SendAsync(ReadOnlyMemory<byte> datagram, CancellationToken cancellationToken);

    /// <exception cref="SocketException">The same.</exception>
    ValueTask FlushAsync(CancellationToken cancellationToken);

    /// <exception cref="SocketException">The same.</exception>
    ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken);

    /// <summary>As <see cref="IDatagramFlow.HasDatagram"/>.</summary>
    bool HasDatagram { get; }
}

/// <summary>Moves datagrams between one association and its far side until it has been silent for a while.</summary>
public static class DatagramRelay
{
    /// <summary>RFC 4787 §4.3 asks for at least two minutes.</summary>
    public static readonly TimeSpan IdleTimeout = TimeSpan.FromMinutes(2);

    private const int MaxDatagram = 65535;

    /// <summary>Tells the other end of the flow why it ended, where the far side was the reason. The caller disposes both.</summary>
    /// <returns>That reason; null when the other end ended it, or it was silent.</returns>
    public static async Task<FlowRefusal?> RunAsync(IDatagramFlow flow, IDatagramSocket socket, TimeProvider time, CancellationToken cancellationToken)
    {
        using var idle = new IdleClock(time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, idle.Token);
        Task<FlowRefusal?> outward = OutwardAsync(flow, socket, idle, stop.Token), inward = InwardAsync(flow, socket, idle, stop.Token);
        var first = await Task.WhenAny(outward, inward);
        var idled = idle.Token.IsCancellationRequested;
        if (!idled && first.IsCompletedSuccessfully && await first is { } reason)
        {
            // Before the rest is stopped: a read that is cancelled ends the flow.
            await flow.AbortAsync(reason, cancellationToken);
        }

        await stop.CancelAsync();
        await ((Task)Task.WhenAll(outward, inward)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        return idled ? null : await first;
    }

    private static async Task<FlowRefusal?> OutwardAsync(IDatagramFlow flow, IDatagramSocket socket, IdleClock idle, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(MaxDatagram);
        try
        {
            while (true)
            {
                var length = await flow.ReceiveAsync(buffer, cancellationToken);
                if (length < 0)
                {
                    return null;
                }

                idle.Restart();
                await socket.SendAsync(buffer.AsMemory(0, length), cancellationToken);
                if (!flow.HasDatagram)
                {
                    await socket.FlushAsync(cancellationToken);
                }
            }
        }
        catch (SocketException e)
        {
            return Explain(e);
        }
        catch (FlowAbortedException)
        {
            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task<FlowRefusal?> InwardAsync(IDatagramFlow flow, IDatagramSocket socket, IdleClock idle, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(MaxDatagram);
        try
        {
            while (true)
            {
                var length = await socket.ReceiveAsync(buffer.AsMemory(), cancellationToken);
                idle.Restart();
                await flow.SendAsync(buffer.AsMemory(0, length), cancellationToken);
                if (!socket.HasDatagram)
                {
                    await flow.FlushAsync(cancellationToken);
                }
            }
        }
        catch (SocketException e)
        {
            return Explain(e);
        }
        catch (FlowAbortedException)
        {
            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>A datagram socket's reset is an old ICMP "port unreachable": nobody listens.</summary>
    private static FlowRefusal Explain(SocketException e) =>
        new(FarSide.FailureOf(e) is var failure and not FlowFailure.Reset ? failure : FlowFailure.ConnectionRefused, e.Message);

    /// <summary>Rings after <see cref="IdleTimeout"/> without a datagram, or up to a second sooner: a timer that is set anew for each datagram costs more than the datagram.</summary>
    private sealed class IdleClock(TimeProvider time) : IDisposable
    {
        private static readonly TimeSpan Coarse = TimeSpan.FromSeconds(1);

        private readonly CancellationTokenSource source = new(IdleTimeout, time);
        private long set = time.GetTimestamp();

        public CancellationToken Token => source.Token;

        public void Restart()
        {
            if (time.GetElapsedTime(Volatile.Read(ref set)) >= Coarse)
            {
                Volatile.Write(ref set, time.GetTimestamp());
                source.CancelAfter(IdleTimeout);
            }
        }

        public void Dispose() => source.Dispose();
    }
}
