using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Fairlead.Dns.Client;
using Fairlead.Dns.Messages;
using Fairlead.Dns.Server;

namespace Fairlead.Tests.Dns.Server;

public sealed class DnsServerTests
{
    private static readonly DnsName Name = DnsName.Parse("frontend.shop");
    private static readonly DnsClient Client = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Query_over_udp_is_answered()
    {
        await using var server = Start(query => query.Message.Reply(DnsResponseCode.NoError, [DnsRecord.Address(query.Question.Name, 5, IPAddress.Parse("127.72.0.1"))]));
        var answer = await Client.QueryAsync(server.LocalEndPoint, Name, DnsType.A, Cancel);
        answer.Answers.ShouldBe([DnsRecord.Address(Name, 5, IPAddress.Parse("127.72.0.1"))]);
        answer.ResponseCode.ShouldBe(DnsResponseCode.NoError);
    }

    [Fact]
    public async Task Answer_too_long_for_udp_is_truncated_and_comes_over_tcp()
    {
        var transports = new List<bool>();
        await using var server = Start(query =>
        {
            transports.Add(query.OverTcp);
            return query.Message.Reply(DnsResponseCode.NoError, [.. Enumerable.Range(1, 1000).Select(i => DnsRecord.Address(Name, 5, new IPAddress(i)))], DnsFlags.Authoritative);
        });
        var answer = await Client.QueryAsync(server.LocalEndPoint, Name, DnsType.A, Cancel);
        answer.Answers.Count.ShouldBe(1000);
        transports.ShouldBe([false, true]);

        var truncated = DnsMessage.Parse(await UdpAsync(server, DnsMessage.Query(9, Name, DnsType.A).ToArray()));
        truncated.Flags.ShouldBe(DnsFlags.Response | DnsFlags.Authoritative | DnsFlags.Truncated | DnsFlags.RecursionDesired);
        truncated.Answers.ShouldBeEmpty();
    }

    [Fact]
    public async Task Forwarded_octets_get_the_id_of_the_query_and_are_truncated_too()
    {
        var upstream = DnsMessage.Query(77, Name, DnsType.Txt).Reply(DnsResponseCode.NoError, [new DnsRecord(Name, DnsType.Txt, 1, new TextData([new byte[200], new byte[200], new byte[200]]))]).ToArray();
        await using var server = Start(_ => new DnsResponse(upstream));
        var plain = DnsMessage.Query(5, Name, DnsType.Txt) with { Edns = null };
        var truncated = DnsMessage.Parse(await UdpAsync(server, plain.ToArray()));
        (truncated.Id, truncated.IsTruncated, truncated.Questions.Count).ShouldBe(((ushort)5, true, 1));
        var whole = DnsMessage.Parse(await UdpAsync(server, DnsMessage.Query(6, Name, DnsType.Txt).ToArray()));
        (whole.Id, whole.IsTruncated, whole.Answers.Count).ShouldBe(((ushort)6, false, 1));
    }

    [Fact]
    public async Task Handler_that_throws_makes_a_server_failure_and_is_reported()
    {
        var faults = new List<Exception>();
        await using var server = Start(_ => throw new InvalidOperationException("boom"), new DnsServerOptions { OnFault = faults.Add });
        (await Client.QueryAsync(server.LocalEndPoint, Name, DnsType.A, Cancel)).ResponseCode.ShouldBe(DnsResponseCode.ServerFailure);
        faults.ShouldHaveSingleItem().Message.ShouldBe("boom");
    }

    [Fact]
    public async Task Handler_that_hangs_makes_a_server_failure()
    {
        var options = new DnsServerOptions { HandlerTimeout = TimeSpan.FromMilliseconds(20) };
        await using var server = DnsServer.Start(new IPEndPoint(IPAddress.Loopback, 0), new Handler(async (_, token) =>
        {
            await Task.Delay(Timeout.Infinite, token);
            throw new InvalidOperationException("unreachable");
        }), options);
        (await Client.QueryAsync(server.LocalEndPoint, Name, DnsType.A, Cancel)).ResponseCode.ShouldBe(DnsResponseCode.ServerFailure);
    }

    [Theory]
    [InlineData("1234 0100 0001 0000 0000 0000 03", DnsResponseCode.FormatError)]
    [InlineData("1234 0100 0000 0000 0000 0000", DnsResponseCode.FormatError)]
    [InlineData("1234 0100 0002 0000 0000 0000 00 0001 0001 00 0001 0001", DnsResponseCode.FormatError)]
    [InlineData("1234 2000 0001 0000 0000 0000 00 0001 0001", DnsResponseCode.NotImplemented)]
    [InlineData("1234 0100 0001 0000 0000 0001 00 0001 0001 00 0029 0200 00010000 0000", DnsResponseCode.BadVersion)]
    public async Task Query_that_breaks_the_protocol_is_refused_with_its_code(string hex, DnsResponseCode code)
    {
        await using var server = Start(query => query.Message.Reply(DnsResponseCode.NoError));
        var answer = DnsMessage.Parse(await UdpAsync(server, Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal))));
        (answer.Id, answer.ResponseCode, answer.IsResponse).ShouldBe(((ushort)0x1234, code, true));
    }

    [Fact]
    public async Task Garbage_and_responses_get_no_answer_and_harm_nothing()
    {
        await using var server = Start(query => query.Message.Reply(DnsResponseCode.NoError));
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(server.LocalEndPoint, Cancel);
        await socket.SendAsync(Array.Empty<byte>(), Cancel);
        await socket.SendAsync("GET / HTTP"u8.ToArray(), Cancel);
        await socket.SendAsync(DnsMessage.Query(1, Name, DnsType.A).Reply(DnsResponseCode.NoError).ToArray(), Cancel);
        await socket.SendAsync(DnsMessage.Query(2, Name, DnsType.A).ToArray(), Cancel);
        var buffer = new byte[512];
        var length = await socket.ReceiveAsync(buffer, Cancel);
        DnsMessage.Parse(buffer.AsSpan(0, length)).Id.ShouldBe((ushort)2);
    }

    [Fact]
    public async Task Connection_carries_queries_one_after_another_in_any_pieces()
    {
        await using var server = Start(query => query.Message.Reply(DnsResponseCode.NoError));
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(server.LocalEndPoint, Cancel);
        var stream = Framed(DnsMessage.Query(1, Name, DnsType.A)).Concat(Framed(DnsMessage.Query(2, Name, DnsType.Aaaa))).ToArray();
        foreach (var octet in stream)
        {
            await socket.SendAsync(new[] { octet }, Cancel);
        }

        await using var reader = new NetworkStream(socket);
        foreach (var id in new ushort[] { 1, 2 })
        {
            var length = new byte[2];
            await reader.ReadExactlyAsync(length, Cancel);
            var answer = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
            await reader.ReadExactlyAsync(answer, Cancel);
            DnsMessage.Parse(answer).Id.ShouldBe(id);
        }
    }

    [Theory]
    [InlineData("0000")]
    [InlineData("0003 010203")]
    [InlineData("16030100")]
    public async Task Connection_with_garbage_or_silence_is_closed(string hex)
    {
        await using var server = Start(query => query.Message.Reply(DnsResponseCode.NoError), new DnsServerOptions { ConnectionTimeout = TimeSpan.FromMilliseconds(50) });
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(server.LocalEndPoint, Cancel);
        await socket.SendAsync(Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal)), Cancel);
        (await socket.ReceiveAsync(new byte[10], Cancel)).ShouldBe(0);
    }

    [Fact]
    public async Task Connections_beyond_the_bound_wait_their_turn()
    {
        await using var server = Start(query => query.Message.Reply(DnsResponseCode.NoError), new DnsServerOptions { MaxConnections = 1, ConnectionTimeout = TimeSpan.FromMilliseconds(100) });
        using var idle = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await idle.ConnectAsync(server.LocalEndPoint, Cancel);
        using var second = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await second.ConnectAsync(server.LocalEndPoint, Cancel);
        await second.SendAsync(Framed(DnsMessage.Query(1, Name, DnsType.A)), Cancel);
        (await second.ReceiveAsync(new byte[100], Cancel)).ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task Dispose_waits_for_the_query_under_way()
    {
        var entered = new TaskCompletionSource();
        var cancelled = false;
        var server = DnsServer.Start(new IPEndPoint(IPAddress.Loopback, 0), new Handler(async (_, token) =>
        {
            entered.SetResult();
            try
            {
                await Task.Delay(Timeout.Infinite, token);
            }
            finally
            {
                cancelled = true;
            }

            throw new InvalidOperationException("unreachable");
        }));
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        await socket.SendToAsync(DnsMessage.Query(1, Name, DnsType.A).ToArray(), server.LocalEndPoint);
        await entered.Task;
        await server.DisposeAsync();
        cancelled.ShouldBeTrue();
    }

    private static DnsServer Start(Func<DnsQuery, DnsResponse> answer, DnsServerOptions? options = null) =>
        DnsServer.Start(new IPEndPoint(IPAddress.Loopback, 0), new Handler((query, _) => ValueTask.FromResult(answer(query))), options);

    private static byte[] Framed(DnsMessage message)
    {
        var octets = message.ToArray();
        return [(byte)(octets.Length >> 8), (byte)octets.Length, .. octets];
    }

    private static async Task<byte[]> UdpAsync(DnsServer server, byte[] query)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(server.LocalEndPoint, Cancel);
        await socket.SendAsync(query, Cancel);
        var buffer = new byte[65535];
        return buffer[..await socket.ReceiveAsync(buffer, Cancel)];
    }

    private sealed class Handler(Func<DnsQuery, CancellationToken, ValueTask<DnsResponse>> answer) : IDnsHandler
    {
        public ValueTask<DnsResponse> HandleAsync(DnsQuery query, CancellationToken cancellationToken) => answer(query, cancellationToken);
    }
}
