using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Fairlead.Platform;
using Fairlead.Platform.Capture;

namespace Fairlead.Tests.Daemon.Fakes;

/// <summary>A TUN capture whose programs are the test.</summary>
internal sealed class FakeTun : ITunCapture
{
    public Channel<ITunConnection> Connections { get; } = Channel.CreateUnbounded<ITunConnection>();

    public Channel<(IPEndPoint Client, IPEndPoint Destination, byte[] Payload)> Datagrams { get; } = Channel.CreateUnbounded<(IPEndPoint, IPEndPoint, byte[])>();

    public Channel<TunEcho> Echoes { get; } = Channel.CreateUnbounded<TunEcho>();

    /// <summary>Replies to pings and the refusals of pings and datagrams, in words.</summary>
    public Channel<string> Answers { get; } = Channel.CreateUnbounded<string>();

    public TunDevice Device { get; } = new("fairlead0", 7, 1500, IPAddress.Parse("246.255.72.1"), null);

    public TunCounters Counters { get; } = new(0, 0, 0);

    public Task<HostException?> Lost { get; } = new TaskCompletionSource<HostException?>().Task;

    public async ValueTask<ITunConnection> AcceptAsync(CancellationToken cancellationToken) => await ReadAsync(Connections, cancellationToken);

    public async ValueTask<TunEcho> ReceiveEchoAsync(CancellationToken cancellationToken) => await ReadAsync(Echoes, cancellationToken);

    public async ValueTask<CapturedDatagram> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var (client, destination, payload) = await ReadAsync(Datagrams, cancellationToken);
        payload.CopyTo(buffer);
        return new CapturedDatagram(client, destination, payload.Length);
    }

    public ValueTask SendAsync(IPEndPoint source, IPEndPoint client, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public void Refuse(IPEndPoint destination, IPEndPoint client, ReadOnlySpan<byte> datagram, CaptureRefusal refusal) =>
        Answers.Writer.TryWrite($"{client} {destination} {datagram.Length}: {refusal}");

    public void Reply(TunEcho echo, ReadOnlySpan<byte> data) =>
        Answers.Writer.TryWrite($"{echo.Client} {echo.Destination} {echo.Identifier} {echo.Sequence}: {Convert.ToHexString(data)}");

    public void Refuse(TunEcho echo, CaptureRefusal refusal) => Answers.Writer.TryWrite($"{echo.Client} {echo.Destination} {echo.Identifier} {echo.Sequence}: {refusal}");

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>As when the device was deleted.</summary>
    public void Lose()
    {
        var reason = new HostException("gone");
        Connections.Writer.TryComplete(reason);
        Datagrams.Writer.TryComplete(reason);
        Echoes.Writer.TryComplete(reason);
    }

    private static async ValueTask<T> ReadAsync<T>(Channel<T> channel, CancellationToken cancellationToken)
    {
        try
        {
            return await channel.Reader.ReadAsync(cancellationToken);
        }
        catch (ChannelClosedException e)
        {
            throw new HostException("gone", e);
        }
    }
}

/// <summary>A held connection; accepting it gives one end of a real one.</summary>
internal sealed class FakeTunConnection(IPEndPoint destination) : ITunConnection
{
    public IPEndPoint Client { get; } = new(IPAddress.Parse("246.255.72.1"), 4000);

    public IPEndPoint Destination => destination;

    /// <summary>The program has given up.</summary>
    public bool IsGone { get; init; }

    /// <summary>The program's end.</summary>
    public TaskCompletionSource<Socket> Connected { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public TaskCompletionSource<CaptureRefusal> Refused { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public async ValueTask<Socket?> AcceptAsync(CancellationToken cancellationToken)
    {
        if (IsGone)
        {
            Connected.SetCanceled(CancellationToken.None);
            return null;
        }

        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(listener.LocalEndPoint!, cancellationToken);
        Connected.SetResult(client);
        return await listener.AcceptAsync(cancellationToken);
    }

    public void Refuse(CaptureRefusal refusal) => Refused.TrySetResult(refusal);
}
