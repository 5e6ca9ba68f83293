using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Fairlead.Platform.Capture;

namespace Fairlead.Linux.Sockets;

/// <summary>A UDP socket per service address and port, received from as though they were one. For the ways that have no <see cref="UdpIntake"/>.</summary>
internal sealed class UdpSocketSet : IAsyncDisposable
{
    private readonly ConcurrentDictionary<IPEndPoint, Member> members = new();

    /// <summary>Members with something to read, each at most once: as long as there are members, no longer.</summary>
    private readonly Channel<Member> ready = Channel.CreateUnbounded<Member>();

    /// <param name="service">What programs send to, and what replies come from.</param>
    /// <param name="local">Where the socket is bound; port 0 for any.</param>
    /// <returns>Where it is bound.</returns>
    /// <exception cref="SocketException">It can't be.</exception>
    public IPEndPoint Add(IPEndPoint service, IPEndPoint local)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { Blocking = false };
        try
        {
            socket.Bind(local);
        }
        catch
        {
            socket.Dispose();
            throw;
        }

        var member = new Member(service, socket);
        members[service] = member;
        member.Waiting = WaitAsync(member);
        return (IPEndPoint)socket.LocalEndPoint!;
    }

    public async Task RemoveAsync(IPEndPoint service)
    {
        if (members.TryRemove(service, out var member))
        {
            member.Socket.Dispose();
            await member.Waiting;
        }
    }

    public async ValueTask<CapturedDatagram> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                var member = await ready.Reader.ReadAsync(cancellationToken);
                var datagram = TryReceive(member, buffer.Span);
                member.Waiting = WaitAsync(member);
                if (datagram is { } received)
                {
                    return received;
                }
            }
        }
        catch (ChannelClosedException exception)
        {
            throw new ObjectDisposedException("The capture was disposed.", exception);
        }
    }

    /// <exception cref="SocketException">The host refused it, or the service is no longer captured.</exception>
    public async ValueTask SendAsync(IPEndPoint service, IPEndPoint client, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
    {
        if (!members.TryGetValue(service, out var member))
        {
            throw new SocketException((int)SocketError.AddressNotAvailable);
        }

        await member.Socket.SendToAsync(payload, SocketFlags.None, client, cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var service in members.Keys)
        {
            await RemoveAsync(service);
        }

        ready.Writer.TryComplete();
    }

    private async Task WaitAsync(Member member)
    {
        try
        {
            await member.Socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.Peek);
        }
        catch (ObjectDisposedException)
        {
            return;
        }
        catch (SocketException exception) when (exception.SocketErrorCode == SocketError.OperationAborted)
        {
            return;
        }
        catch (SocketException)
        {
            // An error of the socket is fetched by the read.
        }

        ready.Writer.TryWrite(member);
    }

    private static CapturedDatagram? TryReceive(Member member, Span<byte> buffer)
    {
        try
        {
            var flags = SocketFlags.None;
            EndPoint client = new IPEndPoint(IPAddress.Any, 0);
            var length = member.Socket.ReceiveMessageFrom(buffer, ref flags, ref client, out _);
            return flags.HasFlag(SocketFlags.Truncated) ? null : new CapturedDatagram((IPEndPoint)client, member.Service, length);
        }
        catch (SocketException)
        {
            return null; // nothing there, or an ICMP error of an earlier reply, which this read has cleared
        }
        catch (ObjectDisposedException)
        {
            return null;
        }
    }

    private sealed class Member(IPEndPoint service, Socket socket)
    {
        public IPEndPoint Service { get; } = service;

        public Socket Socket { get; } = socket;

        public Task Waiting { get; set; } = Task.CompletedTask;
    }
}
