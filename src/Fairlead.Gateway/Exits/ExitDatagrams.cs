using System.Net.Sockets;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Relay;

namespace Fairlead.Gateway.Exits;

/// <summary>An association by way of an exit, as the far side of another. Owns it.</summary>
internal sealed class ExitDatagrams(IDatagramFlow flow) : IDatagramSocket
{
    public bool HasDatagram => flow.HasDatagram;

    public async ValueTask SendAsync(ReadOnlyMemory<byte> datagram, CancellationToken cancellationToken)
    {
        try
        {
            await flow.SendAsync(datagram, cancellationToken);
        }
        catch (FlowAbortedException e)
        {
            throw ErrorOf(e);
        }
    }

    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        try
        {
            await flow.FlushAsync(cancellationToken);
        }
        catch (FlowAbortedException e)
        {
            throw ErrorOf(e);
        }
    }

    public async ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await flow.ReceiveAsync(buffer, cancellationToken) is >= 0 and var length ? length : throw new SocketException((int)SocketError.HostUnreachable);
        }
        catch (FlowAbortedException e)
        {
            throw ErrorOf(e);
        }
    }

    public ValueTask DisposeAsync() => flow.DisposeAsync();

    private static SocketException ErrorOf(FlowAbortedException e) =>
        new((int)(e.Failure == FlowFailure.ConnectionRefused ? SocketError.ConnectionRefused : SocketError.HostUnreachable));
}
