using System.Net;
using System.Net.Sockets;

namespace Fairlead.Dns.Server;

/// <summary>Has a look at a datagram; called one at a time.</summary>
/// <param name="client">Who sent it; another's after the call.</param>
/// <param name="answer">Room for what is sent back at once.</param>
/// <returns>Its length; 0: nothing is, or not now.</returns>
public delegate int AnswerDatagram(ReadOnlySpan<byte> datagram, SocketAddress client, Span<byte> answer);

/// <summary>Receives datagrams until cancelled, and sends what is answered at once.</summary>
/// <param name="socket">Bound. Others may send by it meanwhile.</param>
/// <param name="room">For an answer, octets.</param>
/// <param name="unsent">Why an answer could not be sent: a lost datagram is what UDP promises.</param>
/// <returns>Completes when cancelled; fails when the socket does.</returns>
public delegate Task DatagramLoop(Socket socket, int room, AnswerDatagram answer, Action<Exception> unsent, CancellationToken cancellationToken);

/// <summary>The one that works everywhere: a system call for each datagram.</summary>
internal static class SingleDatagrams
{
    public static async Task RunAsync(Socket socket, int room, AnswerDatagram answer, Action<Exception> unsent, CancellationToken cancellationToken)
    {
        var datagram = GC.AllocateUninitializedArray<byte>(ushort.MaxValue, pinned: true);
        var reply = GC.AllocateUninitializedArray<byte>(room, pinned: true);
        var client = new SocketAddress(socket.AddressFamily);
        while (!cancellationToken.IsCancellationRequested)
        {
            client.Size = client.Buffer.Length;
            var length = await socket.ReceiveFromAsync(datagram.AsMemory(), SocketFlags.None, client, cancellationToken);
            if (answer(datagram.AsSpan(0, length), client, reply) is var count and > 0)
            {
                Send(socket, reply.AsSpan(0, count), client, unsent);
            }
        }
    }

    private static void Send(Socket socket, ReadOnlySpan<byte> reply, SocketAddress client, Action<Exception> unsent)
    {
        try
        {
            socket.SendTo(reply, SocketFlags.None, client);
        }
        catch (SocketException exception)
        {
            // The client's address can't be reached.
            unsent(exception);
        }
    }
}
