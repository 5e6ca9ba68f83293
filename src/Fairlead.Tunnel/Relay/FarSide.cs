using System.Net;
using System.Net.Sockets;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Tunnel.Relay;

/// <summary>Connects to what a flow is to, and says what it ran into when it can't.</summary>
public static class FarSide
{
    /// <summary>About as long as a person waits, and far shorter than the kernel's two minutes of SYNs.</summary>
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    /// <summary>A connected socket, which the caller owns. One of UDP hears the far side only, and every ICMP error of it.</summary>
    /// <param name="protocol">TCP or UDP.</param>
    public static async Task<(Socket? Socket, FlowRefusal? Refusal)> ConnectAsync(IPEndPoint address, TransportProtocol protocol, TimeProvider time, CancellationToken cancellationToken)
    {
        var socket = protocol == TransportProtocol.Tcp
            ? new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }
            : new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            if (protocol == TransportProtocol.Udp)
            {
                socket.ReportAllErrors();
            }

            using var limit = new CancellationTokenSource(ConnectTimeout, time);
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
            await socket.ConnectAsync(address, stop.Token);
            return (socket, null);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            return (null, Explain(e, address));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            socket.Dispose();
            return (null, new FlowRefusal(FlowFailure.TimedOut, $"{address} did not answer within {ConnectTimeout.TotalSeconds:0} s"));
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public static FlowRefusal Explain(SocketException e, IPEndPoint address)
    {
        var failure = FailureOf(e);
        return new FlowRefusal(failure, failure switch
        {
            FlowFailure.ConnectionRefused => $"{address} refused the connection",
            FlowFailure.TimedOut => $"{address} did not answer",
            FlowFailure.Reset => $"{address} reset the connection",
            FlowFailure.Overloaded => "there are no sockets left",
            _ => $"{address} can't be reached: {e.Message}",
        });
    }

    /// <summary>What a socket's error means to whoever opened a flow.</summary>
    public static FlowFailure FailureOf(SocketException e) => e.SocketErrorCode switch
    {
        SocketError.ConnectionRefused => FlowFailure.ConnectionRefused,
        SocketError.ConnectionReset => FlowFailure.Reset,
        SocketError.TimedOut => FlowFailure.TimedOut,
        SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable or SocketError.AddressNotAvailable => FlowFailure.Overloaded,
        _ => FlowFailure.Unreachable,
    };
}
