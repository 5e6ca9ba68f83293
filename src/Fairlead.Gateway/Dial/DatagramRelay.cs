using System.Buffers;
using System.Net.Sockets;
using Fairlead.Tunnel;

namespace Fairlead.Gateway.Dial;

internal enum DatagramRelayEnd
{
    /// <summary>The laptop's side is gone.</summary>
    ClosedByPeer,
    Idle,

    /// <summary>ICMP said that nobody listens at the far side.</summary>
    Refused,
    Failed,
}

/// <summary>Moves datagrams between one association and one connected UDP socket until it has been silent for a while.</summary>
internal static class DatagramRelay
{
    /// <summary>RFC 4787 §4.3 asks for at least two minutes.</summary>
    public static readonly TimeSpan IdleTimeout = TimeSpan.FromMinutes(2);

    private const int MaxDatagram = 65535;

    public static async Task<DatagramRelayEnd> RunAsync(IDatagramFlow flow, Socket socket, TimeProvider time, CancellationToken cancellationToken)
    {
        using var idle = new CancellationTokenSource(IdleTimeout, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, idle.Token);
        Task<DatagramRelayEnd> outward = OutwardAsync(flow, socket, idle, stop.Token), inward = InwardAsync(flow, socket, idle, stop.Token);
        var first = await Task.WhenAny(outward, inward);
        var idled = idle.IsCancellationRequested;
        await stop.CancelAsync();
        await ((Task)Task.WhenAll(outward, inward)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        return idled ? DatagramRelayEnd.Idle : await first;
    }

    private static async Task<DatagramRelayEnd> OutwardAsync(IDatagramFlow flow, Socket socket, CancellationTokenSource idle, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(MaxDatagram);
        try
        {
            while (true)
            {
                var length = await flow.ReceiveAsync(buffer, cancellationToken);
                if (length < 0)
                {
                    return DatagramRelayEnd.ClosedByPeer;
                }

                idle.CancelAfter(IdleTimeout);
                await socket.SendAsync(buffer.AsMemory(0, length), cancellationToken);
            }
        }
        catch (SocketException e)
        {
            return Explain(e);
        }
        catch (FlowAbortedException)
        {
            return DatagramRelayEnd.ClosedByPeer;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task<DatagramRelayEnd> InwardAsync(IDatagramFlow flow, Socket socket, CancellationTokenSource idle, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(MaxDatagram);
        try
        {
            while (true)
            {
                var length = await socket.ReceiveAsync(buffer.AsMemory(), cancellationToken);
                idle.CancelAfter(IdleTimeout);
                await flow.SendAsync(buffer.AsMemory(0, length), cancellationToken);
            }
        }
        catch (SocketException e)
        {
            return Explain(e);
        }
        catch (FlowAbortedException)
        {
            return DatagramRelayEnd.ClosedByPeer;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static DatagramRelayEnd Explain(SocketException e) =>
        e.SocketErrorCode is SocketError.ConnectionRefused or SocketError.ConnectionReset ? DatagramRelayEnd.Refused : DatagramRelayEnd.Failed;
}
