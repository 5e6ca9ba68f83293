using System.Net;

namespace Fairlead.Platform.Sockets;

/// <summary>Has a look at a datagram that came to a server's socket; called one at a time, on the thread that receives.</summary>
/// <param name="client">Who sent it; another's after the call.</param>
/// <param name="answer">Room for what is sent back at once.</param>
/// <returns>Its length; 0: nothing is, or not now.</returns>
public delegate int AnswerDatagram(ReadOnlySpan<byte> datagram, SocketAddress client, Span<byte> answer);
