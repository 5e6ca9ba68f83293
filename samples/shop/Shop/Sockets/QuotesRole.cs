using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Shop.Sockets;

/// <summary>A quote for every datagram, whatever it says (RFC 865), from a file with one a line.</summary>
internal static class QuotesRole
{
    /// <summary>RFC 865: a quote should be shorter than that.</summary>
    private const int MaxQuote = 512;

    public static async Task RunAsync(string file, CancellationToken cancellationToken)
    {
        var quotes = (await File.ReadAllLinesAsync(file, cancellationToken)).Where(line => line.Length is > 0 and < MaxQuote).Select(line => Encoding.UTF8.GetBytes(line + "\n")).ToArray();
        if (quotes.Length == 0)
        {
            throw new InvalidDataException($"{file} holds no quote");
        }

        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Any, Settings.Port));
        var buffer = new byte[1 << 16];
        for (var next = 0; ; next = (next + 1) % quotes.Length)
        {
            var received = await socket.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0), cancellationToken);
            await socket.SendToAsync(quotes[next], received.RemoteEndPoint, cancellationToken);
        }
    }
}
