using System.Net;
using System.Net.Sockets;
using Fairlead.Linux.Native;
using Fairlead.Platform;
using Fairlead.Platform.Capture;

namespace Fairlead.Linux.Capture;

/// <summary>The TCP listener that one way's connections all arrive at.</summary>
internal static class CaptureListener
{
    /// <summary>The kernel lowers it to net.core.somaxconn.</summary>
    private const int Backlog = 65535;

    /// <summary>At <paramref name="address"/>, on a port from the ephemeral range, where no service of a local program expects to be.</summary>
    public static Socket Open(IPAddress address, int port = 0)
    {
        var listener = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            // Accepted sockets inherit it, and with it local programs may bind the port of a live connection. Set raw: the managed
            // option would also set SO_REUSEPORT.
            Span<byte> one = [1, 0, 0, 0];
            listener.SetRawSocketOption(Libc.SolSocket, Libc.SoReuseAddress, one);
            listener.Bind(new IPEndPoint(address, port));
            listener.Listen(Backlog);
            return listener;
        }
        catch
        {
            listener.Dispose();
            throw;
        }
    }

    /// <exception cref="ObjectDisposedException">The listener was disposed, before or while waiting.</exception>
    public static async ValueTask<Socket> AcceptAsync(Socket listener, CancellationToken cancellationToken)
    {
        try
        {
            return await listener.AcceptAsync(cancellationToken);
        }
        catch (SocketException exception) when (exception.SocketErrorCode == SocketError.OperationAborted)
        {
            throw new ObjectDisposedException("The capture was disposed.", exception);
        }
    }

    /// <exception cref="ArgumentException">The table takes the address where the capture's own sockets are.</exception>
    public static void Check(this CaptureOptions options, CaptureTable table)
    {
        if (table.OwnedAddresses.Contains(options.Range.BaseAddress))
        {
            throw new ArgumentException($"{options.Range.BaseAddress} belongs to the capture itself.", nameof(table));
        }
    }
}
