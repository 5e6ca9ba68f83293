using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Fairlead.Dns.Server;

/// <summary>
/// A DNS server on one UDP socket and one TCP listener. Takes any garbage; bounded in everything. It owns its sockets; disposing
/// stops it and waits for queries under way.
/// </summary>
public sealed class DnsServer : IAsyncDisposable
{
    private readonly Socket datagrams;
    private readonly Socket listener;
    private readonly DnsServerOptions options;
    private readonly IDnsHandler handler;
    private readonly DnsResponder responder;
    private readonly SemaphoreSlim datagramSlots;
    private readonly SemaphoreSlim connectionSlots;
    private readonly CancellationTokenSource stopping = new();
    private readonly Task loops;

    /// <param name="datagrams">A bound UDP socket. Bind it to one address: replies from a wildcard socket may leave by another.</param>
    /// <param name="listener">A TCP socket, bound, listening or not yet.</param>
    /// <param name="handler">Answers; not disposed.</param>
    public DnsServer(Socket datagrams, Socket listener, IDnsHandler handler, DnsServerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(datagrams);
        ArgumentNullException.ThrowIfNull(listener);
        ArgumentNullException.ThrowIfNull(handler);
        this.datagrams = datagrams;
        this.listener = listener;
        this.options = options ?? new DnsServerOptions();
        this.handler = handler;
        responder = new DnsResponder(handler, this.options);
        datagramSlots = new SemaphoreSlim(this.options.MaxConcurrentDatagrams);
        connectionSlots = new SemaphoreSlim(this.options.MaxConnections);
        LocalEndPoint = (IPEndPoint)datagrams.LocalEndPoint!;
        listener.Listen(this.options.MaxConnections);
        loops = Task.WhenAll(ReceiveAsync(), AcceptAsync());
    }

    public IPEndPoint LocalEndPoint { get; }

    /// <summary>Binds both sockets to <paramref name="endPoint"/>; port 0 picks one that both can have.</summary>
    /// <exception cref="SocketException">The port is taken, or needs a right.</exception>
    public static DnsServer Start(IPEndPoint endPoint, IDnsHandler handler, DnsServerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(endPoint);
        for (var attempt = 1; ; attempt++)
        {
            var tcp = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            var udp = new Socket(endPoint.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            try
            {
                tcp.Bind(endPoint);
                udp.Bind(tcp.LocalEndPoint!);
                return new DnsServer(udp, tcp, handler, options);
            }
            catch (SocketException exception)
            {
                tcp.Dispose();
                udp.Dispose();
                if (endPoint.Port != 0 || exception.SocketErrorCode != SocketError.AddressAlreadyInUse || attempt == 10)
                {
                    throw;
                }
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        datagrams.Dispose();
        listener.Dispose();
        await loops;

        // Whoever works holds a slot: all slots taken means that nobody does.
        for (var i = 0; i < options.MaxConcurrentDatagrams; i++)
        {
            await datagramSlots.WaitAsync();
        }

        for (var i = 0; i < options.MaxConnections; i++)
        {
            await connectionSlots.WaitAsync();
        }

        datagramSlots.Dispose();
        connectionSlots.Dispose();
        stopping.Dispose();
    }

    private async Task ReceiveAsync()
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await options.Datagrams(datagrams, options.MaxDatagram, Take, Report, stopping.Token);
            }
            catch (Exception exception)
            {
                if (!await MayGoOnAsync(exception))
                {
                    return;
                }
            }
        }
    }

    private int Take(ReadOnlySpan<byte> query, SocketAddress client, Span<byte> answer)
    {
        if (handler.AnswerAtOnce(query, answer, DnsResponder.PlainDatagram, options.MaxDatagram) is var length and > 0)
        {
            return length;
        }

        if (datagramSlots.Wait(0))
        {
            _ = AnswerDatagramAsync(query.ToArray(), (IPEndPoint)LocalEndPoint.Create(client));
            return 0;
        }

        var refusal = DnsResponder.Overloaded(query);
        refusal?.CopyTo(answer);
        return refusal?.Length ?? 0;
    }

    /// <summary>Owned through its slot; never throws.</summary>
    private async Task AnswerDatagramAsync(ReadOnlyMemory<byte> query, IPEndPoint client)
    {
        try
        {
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            if (await responder.AnswerAsync(query, client, overTcp: false, stopping.Token) is { } answer)
            {
                await datagrams.SendToAsync(answer, SocketFlags.None, client, stopping.Token);
            }
        }
        catch (Exception exception)
        {
            // The client is gone, or we are stopping: a lost datagram is what UDP promises.
            Report(exception);
        }
        finally
        {
            datagramSlots.Release();
        }
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            try
            {
                await connectionSlots.WaitAsync(stopping.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            try
            {
                var connection = await listener.AcceptAsync(stopping.Token);
                _ = ServeConnectionAsync(connection);
            }
            catch (Exception exception)
            {
                connectionSlots.Release();
                if (!await MayGoOnAsync(exception))
                {
                    return;
                }
            }
        }
    }

    /// <summary>One query after another (RFC 7766 allows that). Owned through its slot; never throws.</summary>
    private async Task ServeConnectionAsync(Socket connection)
    {
        try
        {
            using (connection)
            {
                connection.NoDelay = true;
                var client = (IPEndPoint)connection.RemoteEndPoint!;
                var length = new byte[2];
                while (true)
                {
                    byte[] query;
                    using (var timeout = Timeout())
                    {
                        if (!await ReadExactlyAsync(connection, length, timeout.Token))
                        {
                            return;
                        }

                        query = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
                        if (!await ReadExactlyAsync(connection, query, timeout.Token))
                        {
                            return;
                        }
                    }

                    if (await responder.AnswerAsync(query, client, overTcp: true, stopping.Token) is not { } answer)
                    {
                        return;
                    }

                    using (var timeout = Timeout())
                    {
                        var framed = new byte[answer.Length + 2];
                        BinaryPrimitives.WriteUInt16BigEndian(framed, (ushort)answer.Length);
                        answer.CopyTo(framed.AsMemory(2));
                        for (var sent = 0; sent < framed.Length;)
                        {
                            sent += await connection.SendAsync(framed.AsMemory(sent), timeout.Token);
                        }
                    }
                }
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException
            or SocketException { SocketErrorCode: SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown })
        {
            // The client is gone, or idle for too long, or we are stopping: closing is the answer.
        }
        catch (Exception exception)
        {
            Report(exception);
        }
        finally
        {
            connectionSlots.Release();
        }
    }

    /// <summary>Cancelled by the connection's timeout and by the stop.</summary>
    private Deadline Timeout() => new(options.ConnectionTimeout, options.Time, stopping.Token);

    private static async Task<bool> ReadExactlyAsync(Socket connection, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (buffer.Length > 0)
        {
            var read = await connection.ReceiveAsync(buffer, cancellationToken);
            if (read == 0)
            {
                return false;
            }

            buffer = buffer[read..];
        }

        return true;
    }

    /// <summary>After an error of a listening socket: out of descriptors or memory passes, so wait a moment; a stop doesn't.</summary>
    private async Task<bool> MayGoOnAsync(Exception exception)
    {
        if (stopping.IsCancellationRequested)
        {
            return false;
        }

        Report(exception);
        try
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), options.Time, stopping.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private void Report(Exception exception)
    {
        if (!stopping.IsCancellationRequested)
        {
            options.OnFault?.Invoke(exception);
        }
    }
}
