using System.Net;
using System.Net.Sockets;
using Fairlead.Linux.Tun.Packets;
using Fairlead.Platform.Capture;

namespace Fairlead.Linux.Tun.Flows;

/// <summary>A held SYN, and the socket that comes of it. What it is in the table belongs to <see cref="TcpTranslator"/>, under its lock.</summary>
internal sealed class TunConnection(TcpTranslator owner, in FlowKey key, int slot, ReadOnlySpan<byte> frame) : ITunConnection
{
    private readonly TaskCompletionSource<Socket?> arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Socket? delivered;

    public IPEndPoint Client { get; } = key.ClientEndPoint;

    public IPEndPoint Destination { get; } = key.DestinationEndPoint;

    public int Slot => slot;

    /// <summary>The last SYN as it came: a repeated one has the newer timestamp, from which the program's kernel takes the round trip time.</summary>
    public byte[] Frame { get; private set; } = frame.ToArray();

    public async ValueTask<Socket?> AcceptAsync(CancellationToken cancellationToken)
    {
        if (owner.Admit(this))
        {
            try
            {
                return await arrived.Task.WaitAsync(cancellationToken);
            }
            catch (OperationCanceledException)
            {
                Abandon();
                throw;
            }
        }

        return null;
    }

    public void Refuse(CaptureRefusal refusal) => owner.Refuse(this, refusal);

    public void Repeat(ReadOnlySpan<byte> frame)
    {
        if (frame.Length == Frame.Length)
        {
            frame.CopyTo(Frame);
        }
        else
        {
            Frame = frame.ToArray();
        }
    }

    /// <summary>Takes the socket over.</summary>
    public void Deliver(Socket socket)
    {
        delivered = socket;
        if (!arrived.TrySetResult(socket))
        {
            socket.Dispose();
        }
    }

    /// <summary>No socket comes any more, or nobody wants it.</summary>
    public void Abandon()
    {
        if (!arrived.TrySetResult(null))
        {
            delivered?.Dispose();
        }
    }

    /// <summary>The capture ended.</summary>
    public void Fail(Exception reason) => arrived.TrySetException(reason);
}
