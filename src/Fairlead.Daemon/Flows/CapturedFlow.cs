using System.Net;
using System.Net.Sockets;
using Fairlead.Platform.Capture;
using Fairlead.Tunnel;

namespace Fairlead.Daemon.Flows;

/// <summary>A TCP connection as a capture hands it over: accepted already, or still held. Each is either connected, and then the relay owns its socket, or refused.</summary>
internal abstract class CapturedFlow
{
    public abstract IPEndPoint Destination { get; }

    /// <summary>The socket, and what the program sends before the flow is open; null while the connection is held.</summary>
    public abstract EarlyData? Early { get; }

    /// <summary>Called once the far side was dialled.</summary>
    /// <returns>Null when the program has given up meanwhile.</returns>
    public abstract ValueTask<EarlyData?> ConnectAsync(CancellationToken cancellationToken);

    /// <summary>Tells the program, as well as the capture can, or resets what is connected.</summary>
    public abstract void Refuse(FlowFailure failure);

    /// <summary>RST instead of FIN (SO_LINGER 0, tcp(7)): the program must not take this for a complete stream.</summary>
    protected static void Reset(Socket socket)
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
}

/// <summary>Where connections come from.</summary>
internal interface IConnectionSource
{
    /// <exception cref="SocketException">None could be accepted just now: try again in a moment.</exception>
    /// <exception cref="ObjectDisposedException">There will be no more.</exception>
    /// <exception cref="Platform.HostException">There will be no more: the capture was lost.</exception>
    ValueTask<CapturedFlow> AcceptAsync(CancellationToken cancellationToken);
}

/// <summary>The kernel accepts first, so that what a program sends at once can travel with the open.</summary>
internal sealed class LoopbackConnections(ILoopbackCapture capture) : IConnectionSource
{
    public async ValueTask<CapturedFlow> AcceptAsync(CancellationToken cancellationToken) => new Accepted(await capture.AcceptAsync(cancellationToken));

    private sealed class Accepted(CapturedConnection connection) : CapturedFlow
    {
        public override IPEndPoint Destination => connection.OriginalDestination;

        public override EarlyData? Early { get; } = new(connection.Socket);

        public override ValueTask<EarlyData?> ConnectAsync(CancellationToken cancellationToken)
        {
            connection.Socket.NoDelay = true;
            return new(Early);
        }

        public override void Refuse(FlowFailure failure) => Reset(connection.Socket);
    }
}

/// <summary>A program waits in connect(2) until the far side was dialled, so a closed port is refused and a filtered one times out.</summary>
internal sealed class TunConnections(ITunCapture capture) : IConnectionSource
{
    public async ValueTask<CapturedFlow> AcceptAsync(CancellationToken cancellationToken) => new Held(await capture.AcceptAsync(cancellationToken));

    private sealed class Held(ITunConnection connection) : CapturedFlow
    {
        private Socket? socket;

        public override IPEndPoint Destination => connection.Destination;

        public override EarlyData? Early => null;

        public override async ValueTask<EarlyData?> ConnectAsync(CancellationToken cancellationToken)
        {
            socket = await connection.AcceptAsync(cancellationToken);
            if (socket is null)
            {
                return null;
            }

            socket.NoDelay = true;
            return new EarlyData(socket);
        }

        public override void Refuse(FlowFailure failure)
        {
            if (socket is null)
            {
                connection.Refuse(failure.ToCapture());
            }
            else
            {
                Reset(socket);
            }
        }
    }
}

internal static class FlowFailureRefusal
{
    /// <summary>How a program learns of it: as from the far side itself, as far as that is known.</summary>
    public static CaptureRefusal ToCapture(this FlowFailure failure) => failure switch
    {
        FlowFailure.ConnectionRefused or FlowFailure.NotFound or FlowFailure.Reset => CaptureRefusal.Refused,
        FlowFailure.Denied => CaptureRefusal.Prohibited,

        // The program's kernel tries again by itself: a full table is like a full backlog.
        FlowFailure.TimedOut or FlowFailure.Overloaded => CaptureRefusal.Silence,
        _ => CaptureRefusal.Unreachable,
    };
}
