using System.Buffers.Binary;
using System.Net;
using Fairlead.Platform.Capture;

namespace Fairlead.Daemon.Flows;

/// <summary>
/// Pings as datagrams, in the form that flows of them have (<see cref="Tunnel.IDatagramFlow"/>): the sequence number, then the data. A client's port is its echo identifier, that
/// of a destination 0.
/// </summary>
internal sealed class EchoDatagrams(ITunCapture capture) : IDatagramCapture
{
    private const int SequenceLength = 2;

    public async ValueTask<CapturedDatagram> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (true)
        {
            var echo = await capture.ReceiveEchoAsync(cancellationToken);
            if (SequenceLength + echo.Data.Length <= buffer.Length)
            {
                BinaryPrimitives.WriteUInt16BigEndian(buffer.Span, echo.Sequence);
                echo.Data.CopyTo(buffer[SequenceLength..]);
                return new CapturedDatagram(new IPEndPoint(echo.Client, echo.Identifier), new IPEndPoint(echo.Destination, 0), SequenceLength + echo.Data.Length);
            }
        }
    }

    public ValueTask SendAsync(IPEndPoint source, IPEndPoint client, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
    {
        if (payload.Length >= SequenceLength)
        {
            capture.Reply(Echo(source, client, payload.Span), payload.Span[SequenceLength..]);
        }

        return ValueTask.CompletedTask;
    }

    public void Refuse(IPEndPoint destination, IPEndPoint client, ReadOnlySpan<byte> datagram, CaptureRefusal refusal) =>
        capture.Refuse(Echo(destination, client, datagram), refusal);

    private static TunEcho Echo(IPEndPoint destination, IPEndPoint client, ReadOnlySpan<byte> datagram) => new(
        client.Address, destination.Address, (ushort)client.Port, datagram.Length < SequenceLength ? (ushort)0 : BinaryPrimitives.ReadUInt16BigEndian(datagram), default);
}
