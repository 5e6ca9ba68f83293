using System.Net;
using System.Net.Sockets;
using System.Text;
using Fairlead.Linux.Sockets;
using Fairlead.Platform.Sockets;

namespace Fairlead.Tests.Linux.Sockets;

public sealed class DatagramBatchesTests : IAsyncDisposable
{
    private readonly CancellationTokenSource stopping = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
    private readonly List<Exception> unsent = [];
    private Socket? socket;
    private Task serving = Task.CompletedTask;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await serving;
        socket?.Dispose();
        stopping.Dispose();
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public async Task Each_client_gets_its_own_answers_in_order(string address)
    {
        var server = Serve(address, Backwards);
        var clients = Enumerable.Range(0, 5).Select(_ => Connect(server)).ToList();

        // More than one batch holds; none is lost while the receive buffers have room.
        for (var i = 0; i < 30; i++)
        {
            clients.ForEach(client => client.Send(Encoding.ASCII.GetBytes($"{clients.IndexOf(client)}:{i}")));
        }

        foreach (var client in clients)
        {
            for (var i = 0; i < 30; i++)
            {
                (await ReceiveAsync(client)).ShouldBe(new string([.. $"{clients.IndexOf(client)}:{i}".Reverse()]));
            }

            client.Dispose();
        }

        unsent.ShouldBeEmpty();
    }

    [Fact]
    public async Task Client_is_named_and_an_answer_of_nothing_is_not_sent()
    {
        var seen = new List<EndPoint>();
        var server = Serve("127.0.0.1", (datagram, client, answer) =>
        {
            seen.Add(new IPEndPoint(IPAddress.Any, 0).Create(client));
            return datagram[0] == (byte)'?' ? Backwards(datagram, client, answer) : 0;
        });
        using var client = Connect(server);
        client.Send("quiet"u8);
        client.Send("?"u8);
        (await ReceiveAsync(client)).ShouldBe("?");
        seen.ShouldBe([client.LocalEndPoint!, client.LocalEndPoint!]);
    }

    [Fact]
    public async Task Datagram_that_is_too_long_is_dropped_and_the_next_one_answered()
    {
        var server = Serve("127.0.0.1", Backwards);
        using var client = Connect(server);
        client.Send(new byte[DatagramBatches.Longest + 1]);
        client.Send("ab"u8);
        (await ReceiveAsync(client)).ShouldBe("ba");
    }

    [Fact]
    public async Task Answer_that_cannot_be_sent_is_reported_and_the_next_one_sent()
    {
        // Longer than a datagram can be.
        var server = Serve("127.0.0.1", (datagram, client, answer) => datagram[0] == (byte)'!' ? answer.Length : Backwards(datagram, client, answer), room: 70_000);
        using var client = Connect(server);
        client.Send("!"u8);
        client.Send("ab"u8);
        (await ReceiveAsync(client)).ShouldBe("ba");
        unsent.ShouldHaveSingleItem().Message.ShouldContain("Message too long");
    }

    [Fact]
    public async Task Disposed_socket_ends_it_after_the_cancellation()
    {
        var server = Serve("127.0.0.1", Backwards);
        await stopping.CancelAsync();
        server.Dispose();
        await serving.WaitAsync(Cancel);
    }

    private static int Backwards(ReadOnlySpan<byte> datagram, SocketAddress client, Span<byte> answer)
    {
        datagram.CopyTo(answer);
        answer[..datagram.Length].Reverse();
        return datagram.Length;
    }

    private static Socket Connect(Socket server)
    {
        var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        socket.Connect(server.LocalEndPoint!);
        return socket;
    }

    private static async Task<string> ReceiveAsync(Socket client)
    {
        var buffer = new byte[100];
        return Encoding.ASCII.GetString(buffer, 0, await client.ReceiveAsync(buffer, Cancel));
    }

    private Socket Serve(string address, AnswerDatagram answer, int room = 512)
    {
        var end = IPAddress.Parse(address);
        socket = new Socket(end.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(end, 0));
        serving = DatagramBatches.RunAsync(socket, room, answer, unsent.Add, stopping.Token);
        return socket;
    }
}
