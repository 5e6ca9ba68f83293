using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Fairlead.Linux.Sockets;
using Fairlead.Platform.Capture;

namespace Fairlead.Linux.Capture;

/// <summary>Capture by a listener per address and port: needs nothing of the kernel, but shares each port with local programs.</summary>
internal sealed class PortListenersCapture(CaptureOptions options) : ILoopbackCapture
{
    private static readonly TimeSpan PauseAfterError = TimeSpan.FromMilliseconds(50);

    private readonly Dictionary<CaptureEntry, Listener> listeners = [];
    private readonly HashSet<CaptureEntry> datagramEntries = [];
    private readonly UdpSocketSet datagrams = new();
    private readonly SemaphoreSlim updating = new(1);
    private int disposed;
    private readonly CancellationTokenSource stopping = new();

    /// <summary>One place: a listener that has accepted waits until its connection is fetched, the others wait in their backlogs.</summary>
    private readonly Channel<CapturedConnection> accepted = Channel.CreateBounded<CapturedConnection>(1);

    public CaptureWay Way => CaptureWay.PortListeners;

    public async Task<CaptureResult> UpdateAsync(CaptureTable next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(next);
        options.Check(next);
        await updating.WaitAsync(cancellationToken);
        try
        {
            // Waited for last, so that all sockets are opened by the calling thread, in its network namespace.
            var removing = listeners.Keys.Concat(datagramEntries).Where(entry => !next.Entries.Contains(entry)).ToList().ConvertAll(RemoveAsync);
            var failures = next.Entries.Where(entry => !listeners.ContainsKey(entry) && !datagramEntries.Contains(entry)).Select(TryAdd).OfType<CaptureFailure>().ToList();
            await Task.WhenAll(removing);
            return failures.Count == 0 ? CaptureResult.Complete : new CaptureResult(failures);
        }
        finally
        {
            updating.Release();
        }
    }

    public async ValueTask<CapturedConnection> AcceptAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await accepted.Reader.ReadAsync(cancellationToken);
        }
        catch (ChannelClosedException exception)
        {
            throw new ObjectDisposedException("The capture was disposed.", exception);
        }
    }

    public ValueTask<CapturedDatagram> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken) => datagrams.ReceiveAsync(buffer, cancellationToken);

    public ValueTask SendAsync(IPEndPoint source, IPEndPoint client, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken) =>
        datagrams.SendAsync(source, client, payload, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) != 0)
        {
            return;
        }

        await updating.WaitAsync();
        await stopping.CancelAsync();
        foreach (var entry in listeners.Keys.ToList())
        {
            await RemoveAsync(entry);
        }

        await datagrams.DisposeAsync();
        accepted.Writer.TryComplete();
        while (accepted.Reader.TryRead(out var connection))
        {
            connection.Socket.Dispose();
        }

        stopping.Dispose();
        updating.Dispose();
    }

    private async Task RemoveAsync(CaptureEntry entry)
    {
        if (listeners.Remove(entry, out var listener))
        {
            listener.Socket.Dispose();
            await listener.Accepting;
        }
        else if (datagramEntries.Remove(entry))
        {
            await datagrams.RemoveAsync(new IPEndPoint(entry.Address, entry.Port));
        }
    }

    private CaptureFailure? TryAdd(CaptureEntry entry)
    {
        if (entry.Port == 0)
        {
            return new CaptureFailure(entry, "every port of an address can't be had without BPF or nftables", null);
        }

        try
        {
            var service = new IPEndPoint(entry.Address, entry.Port);
            if (entry.Protocol == CaptureProtocol.Udp)
            {
                datagrams.Add(service, service);
                datagramEntries.Add(entry);
            }
            else
            {
                var socket = CaptureListener.Open(entry.Address, entry.Port);
                listeners.Add(entry, new Listener(socket, AcceptLoopAsync(socket)));
            }

            return null;
        }
        catch (SocketException exception)
        {
            return exception.SocketErrorCode == SocketError.AddressAlreadyInUse && PortHolder.Find(entry.Address, entry.Port, entry.Protocol) is { } holder
                ? new CaptureFailure(entry, $"port {entry.Port} is taken by {holder}", holder.Pid)
                : new CaptureFailure(entry, $"port {entry.Port} can't be had: {exception.Message}", null);
        }
    }

    /// <summary>Until its listener is disposed.</summary>
    private async Task AcceptLoopAsync(Socket listener)
    {
        while (true)
        {
            try
            {
                var socket = await CaptureListener.AcceptAsync(listener, stopping.Token);
                try
                {
                    await accepted.Writer.WriteAsync(new CapturedConnection(socket, (IPEndPoint)socket.LocalEndPoint!), stopping.Token);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            }
            catch (Exception exception) when (exception is ObjectDisposedException or OperationCanceledException)
            {
                return;
            }
            catch (SocketException)
            {
                // Out of descriptors or memory: the connection stays in the backlog until there is room.
                await Task.Delay(PauseAfterError, CancellationToken.None);
            }
        }
    }

    private sealed record Listener(Socket Socket, Task Accepting);
}
