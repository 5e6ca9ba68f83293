using System.Net.Sockets;
using Fairlead.Tunnel;

namespace Fairlead.Daemon.Run;

/// <summary>A connection of this host as a flow. Owns the socket.</summary>
internal sealed class SocketFlow(Socket socket) : IFlow
{
    private bool readsEnded;
    private bool writesEnded;

    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            var count = await socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken);
            readsEnded |= count == 0 && !buffer.IsEmpty;
            return count;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            throw Aborted(e);
        }
    }

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            while (!buffer.IsEmpty)
            {
                buffer = buffer[await socket.SendAsync(buffer, SocketFlags.None, cancellationToken)..];
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            throw Aborted(e);
        }
    }

    public ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            writesEnded = true;
            socket.Shutdown(SocketShutdown.Send);
            return ValueTask.CompletedTask;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            throw Aborted(e);
        }
    }

    /// <summary>RST (SO_LINGER 0, tcp(7)): the far side must not take what came for all there was.</summary>
    public void Abort(FlowFailure failure)
    {
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Reset by the far side already.
        }

        socket.Dispose();
    }

    public ValueTask DisposeAsync()
    {
        if (readsEnded && writesEnded)
        {
            socket.Dispose();
        }
        else
        {
            Abort(FlowFailure.Reset);
        }

        return ValueTask.CompletedTask;
    }

    private static FlowAbortedException Aborted(Exception e) =>
        new(e is SocketException { SocketErrorCode: SocketError.TimedOut } ? FlowFailure.TimedOut : FlowFailure.Reset, e.Message, e);
}
