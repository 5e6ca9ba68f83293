using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Fairlead.Linux.Capture;
using Fairlead.Linux.Tun.Flows;
using Fairlead.Linux.Tun.Packets;
using Fairlead.Platform;
using Fairlead.Platform.Capture;

namespace Fairlead.Linux.Tun;

/// <summary>
/// Serves the devices and listeners of <see cref="TunParts"/>, which it owns: a thread for each direction, and for each listener a task that hands its sockets to the connections
/// that they belong to.
/// </summary>
internal sealed class TunCapture : ITunCapture, IPacketSink
{
    /// <summary>SYNs that nobody has looked at yet. Beyond it they are dropped and come again.</summary>
    private const int MaxWaitingConnections = 4096;

    /// <summary>As much as the loopback capture's socket holds.</summary>
    private const int MaxWaitingDatagrams = 8192;
    private const int MaxWaitingDatagramBytes = 4 << 20;
    private const int MaxWaitingEchoes = 256;

    /// <summary>A flow that is alive is seen to be in a third of <see cref="TcpTranslator.IdleTime"/>.</summary>
    private const int KeepAliveSeconds = TcpTranslator.IdleTime / 3;

    private readonly TunParts parts;
    private readonly TimeProvider time;
    private readonly long started;
    private readonly IcmpSender icmp;
    private readonly TcpTranslator tcp;
    private readonly ProgramSide programs;
    private readonly MessageSender sender;
    private readonly EndPointCache endPoints = new();
    private readonly FrameLoop[] loops;
    private readonly Task[] acceptors;
    private readonly Channel<TunConnection> connections = Channel.CreateBounded<TunConnection>(MaxWaitingConnections);
    private readonly Channel<Datagram> datagrams = Channel.CreateBounded<Datagram>(MaxWaitingDatagrams);
    private readonly Channel<TunEcho> echoes = Channel.CreateBounded<TunEcho>(MaxWaitingEchoes);
    private readonly TaskCompletionSource<HostException?> lost = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long waitingBytes;
    private long handedOut;
    private long dropped;
    private int disposed;

    public TunCapture(TunParts parts, TimeProvider time)
    {
        this.parts = parts;
        this.time = time;
        started = time.GetTimestamp();
        icmp = new IcmpSender(this, time);
        tcp = new TcpTranslator(TunParts.End(parts.Listener), parts.Listener6 is { } listener6 ? TunParts.End(listener6) : null, icmp, this);
        programs = new ProgramSide(tcp, icmp, this);
        sender = new MessageSender(parts.Programs, Device.Mtu);
        loops =
        [
            new FrameLoop("tun", parts.Programs, frame => programs.Take(frame, Now), Sweep, Lose),
            new FrameLoop("tun kernel", parts.Kernel, frame => tcp.FromKernel(frame, Now), () => { }, Lose),
        ];
        foreach (var loop in loops)
        {
            loop.Start();
        }

        acceptors = [.. new[] { parts.Listener, parts.Listener6 }.OfType<Socket>().Select(AcceptAllAsync)];
    }

    public TunDevice Device => parts.Device;

    public TunCounters Counters => new(tcp.Count, Volatile.Read(ref handedOut), Volatile.Read(ref dropped));

    public Task<HostException?> Lost => lost.Task;

    /// <summary>Seconds since the start.</summary>
    private int Now => (int)time.GetElapsedTime(started).TotalSeconds;

    public async ValueTask<ITunConnection> AcceptAsync(CancellationToken cancellationToken) => await NextAsync(connections, cancellationToken);

    public ValueTask<TunEcho> ReceiveEchoAsync(CancellationToken cancellationToken) => NextAsync(echoes, cancellationToken);

    public async ValueTask<CapturedDatagram> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (true)
        {
            var datagram = await NextAsync(datagrams, cancellationToken);
            Interlocked.Add(ref waitingBytes, -datagram.Length);
            var fits = datagram.Length <= buffer.Length;
            if (fits)
            {
                datagram.Buffer.AsSpan(0, datagram.Length).CopyTo(buffer.Span);
            }

            ArrayPool<byte>.Shared.Return(datagram.Buffer);
            if (fits)
            {
                return new CapturedDatagram(datagram.Client, datagram.Destination, datagram.Length);
            }
        }
    }

    public ValueTask SendAsync(IPEndPoint source, IPEndPoint client, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ObjectDisposedException.ThrowIf(disposed != 0, this);
        sender.SendUdp(source, client, payload.Span);
        return ValueTask.CompletedTask;
    }

    public void Reply(TunEcho echo, ReadOnlySpan<byte> data)
    {
        try
        {
            sender.SendEchoReply(Ip.FromAddress(echo.Destination), Ip.FromAddress(echo.Client), echo.Identifier, echo.Sequence, data);
        }
        catch (SocketException)
        {
            Drop();
        }
    }

    public void Refuse(TunEcho echo, CaptureRefusal refusal)
    {
        Span<byte> packet = stackalloc byte[IpHeader.V6Length + PacketWriter.QuotedHeader];
        Tell(packet[..PacketWriter.WriteEchoHeader(packet, echo)], refusal == CaptureRefusal.Refused ? CaptureRefusal.Unreachable : refusal);
    }

    public void Refuse(IPEndPoint destination, IPEndPoint client, ReadOnlySpan<byte> datagram, CaptureRefusal refusal)
    {
        Span<byte> packet = stackalloc byte[IpHeader.V6Length + PacketWriter.QuotedHeader];
        Tell(packet[..PacketWriter.WriteUdpHeader(packet, client, destination, datagram.Length)], refusal);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) != 0)
        {
            return;
        }

        End(new ObjectDisposedException("The capture was disposed."));
        lost.TrySetResult(null);
        foreach (var loop in loops)
        {
            loop.Stop();
        }

        await Task.WhenAll(loops.Select(loop => loop.Ended));
        parts.Dispose();
        await Task.WhenAll(acceptors);
        programs.Dispose();
        foreach (var loop in loops)
        {
            loop.Dispose();
        }
    }

    void IPacketSink.ToPrograms(ReadOnlySpan<byte> frame) => Write(parts.Programs, frame);

    void IPacketSink.ToKernel(ReadOnlySpan<byte> frame) => Write(parts.Kernel, frame);

    bool IPacketSink.TryHandOut(TunConnection connection)
    {
        if (!connections.Writer.TryWrite(connection))
        {
            return false;
        }

        Interlocked.Increment(ref handedOut);
        return true;
    }

    bool IPacketSink.TryHandOut(in FlowKey ends, ReadOnlySpan<byte> datagram)
    {
        if (Volatile.Read(ref waitingBytes) + datagram.Length > MaxWaitingDatagramBytes)
        {
            return false;
        }

        var (client, destination) = endPoints.Get(ends);
        var buffer = ArrayPool<byte>.Shared.Rent(Math.Max(1, datagram.Length));
        datagram.CopyTo(buffer);
        Interlocked.Add(ref waitingBytes, datagram.Length);
        if (datagrams.Writer.TryWrite(new Datagram(client, destination, buffer, datagram.Length)))
        {
            return true;
        }

        Interlocked.Add(ref waitingBytes, -datagram.Length);
        ArrayPool<byte>.Shared.Return(buffer);
        return false;
    }

    bool IPacketSink.TryHandOut(UInt128 client, UInt128 destination, ushort identifier, ushort sequence, ReadOnlySpan<byte> data) =>
        echoes.Writer.TryWrite(new TunEcho(Ip.ToAddress(client), Ip.ToAddress(destination), identifier, sequence, data.ToArray()));

    void IPacketSink.Drop() => Drop();

    private void Drop() => Interlocked.Increment(ref dropped);

    private void Write(TunFile file, ReadOnlySpan<byte> frame)
    {
        if (!file.Write(frame))
        {
            Drop();
        }
    }

    private void Tell(ReadOnlySpan<byte> packet, CaptureRefusal refusal)
    {
        if (refusal != CaptureRefusal.Silence && disposed == 0)
        {
            icmp.Tell(packet, packet[0] >> 4 == 6, refusal.ToIcmp());
        }
    }

    private void Sweep()
    {
        var now = Now;
        programs.Sweep(now);
        tcp.Sweep(now);
    }

    private async Task AcceptAllAsync(Socket listener)
    {
        while (true)
        {
            try
            {
                HandOver(await CaptureListener.AcceptAsync(listener, CancellationToken.None));
            }
            catch (ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                // Out of descriptors or memory: it stays in the backlog. Or one that was reset before it was taken.
                await Task.Delay(TimeSpan.FromMilliseconds(50), time, CancellationToken.None);
            }
        }
    }

    private void HandOver(Socket socket)
    {
        try
        {
            if (tcp.Claim((IPEndPoint)socket.RemoteEndPoint!) is { } connection)
            {
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, KeepAliveSeconds);
                socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
                connection.Deliver(socket);
                return;
            }
        }
        catch (SocketException)
        {
            // Reset meanwhile: the translator has seen it, too, and told whoever waits.
        }

        socket.Dispose();
    }

    private void Lose()
    {
        var reason = new HostException($"The device {Device.Name} is gone: somebody deleted it.");
        End(reason);
        lost.TrySetResult(reason);
    }

    private void End(Exception reason)
    {
        connections.Writer.TryComplete(reason);
        datagrams.Writer.TryComplete(reason);
        echoes.Writer.TryComplete(reason);
        tcp.Fail(reason);
    }

    private static async ValueTask<T> NextAsync<T>(Channel<T> channel, CancellationToken cancellationToken)
    {
        try
        {
            return await channel.Reader.ReadAsync(cancellationToken);
        }
        catch (ChannelClosedException e)
        {
            throw e.InnerException switch
            {
                HostException reason => new HostException(reason.Message, e),
                _ => new ObjectDisposedException("The capture was disposed.", e),
            };
        }
    }

    private readonly record struct Datagram(IPEndPoint Client, IPEndPoint Destination, byte[] Buffer, int Length);
}
