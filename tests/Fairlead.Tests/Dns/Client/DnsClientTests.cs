using System.Net;
using System.Net.Sockets;
using Fairlead.Dns.Client;
using Fairlead.Dns.Messages;

namespace Fairlead.Tests.Dns.Client;

public sealed class DnsClientTests : IDisposable
{
    private static readonly DnsName Name = DnsName.Parse("frontend.shop");
    private readonly Socket server = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);

    public DnsClientTests() => server.Bind(new IPEndPoint(IPAddress.Loopback, 0));

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private IPEndPoint EndPoint => (IPEndPoint)server.LocalEndPoint!;

    public void Dispose() => server.Dispose();

    [Fact]
    public async Task Answer_counts_only_with_the_id_and_the_question()
    {
        var asking = new DnsClient().ExchangeAsync(EndPoint, DnsMessage.Query(1, Name, DnsType.A).ToArray(), Cancel);
        var (query, client) = await ReceiveAsync();
        var good = query.Reply(DnsResponseCode.NoError, [DnsRecord.Address(Name, 1, IPAddress.Parse("10.0.0.1"))]);
        await SendAsync(client, good with { Id = (ushort)(query.Id + 1) });
        await SendAsync(client, good with { Questions = [new DnsQuestion(DnsName.Parse("other.shop"), DnsType.A)] });
        await SendAsync(client, good with { Questions = [new DnsQuestion(Name, DnsType.Aaaa)] });
        await SendAsync(client, good with { Questions = [] });
        await SendAsync(client, good with { Flags = DnsFlags.None });
        await server.SendToAsync("noise"u8.ToArray(), client, Cancel);
        await SendAsync(client, good);
        var answer = DnsMessage.Parse(await asking);
        answer.Id.ShouldBe((ushort)1);
        answer.Answers.ShouldBe(good.Answers);
    }

    [Fact]
    public async Task Each_attempt_has_another_port_and_a_silent_server_ends_in_an_error()
    {
        var client = new DnsClient(new DnsClientOptions { Timeout = TimeSpan.FromMilliseconds(30), Attempts = 2 });
        var asking = client.QueryAsync(EndPoint, Name, DnsType.A, Cancel);
        var first = await ReceiveAsync();
        var second = await ReceiveAsync();
        second.Client.ShouldNotBe(first.Client);
        (await Should.ThrowAsync<DnsExchangeException>(asking)).Message.ShouldContain(EndPoint.ToString());
    }

    [Fact]
    public async Task Refusal_without_a_question_is_an_answer()
    {
        var asking = new DnsClient().QueryAsync(EndPoint, Name, DnsType.A, Cancel);
        var (query, client) = await ReceiveAsync();
        await SendAsync(client, query.Reply(DnsResponseCode.Refused) with { Questions = [] });
        (await asking).ResponseCode.ShouldBe(DnsResponseCode.Refused);
    }

    [Fact]
    public async Task Closed_port_is_an_error_at_once()
    {
        var closed = EndPoint;
        server.Dispose();
        await Should.ThrowAsync<DnsExchangeException>(() => new DnsClient().QueryAsync(closed, Name, DnsType.A, Cancel));
    }

    [Fact]
    public async Task Truncated_answer_without_a_tcp_listener_is_an_error()
    {
        var asking = new DnsClient(new DnsClientOptions { Attempts = 1 }).QueryAsync(EndPoint, Name, DnsType.A, Cancel);
        var (query, client) = await ReceiveAsync();
        await SendAsync(client, query.Reply(DnsResponseCode.NoError, flags: DnsFlags.Truncated));
        await Should.ThrowAsync<DnsExchangeException>(asking);
    }

    [Fact]
    public async Task Cancellation_is_not_taken_for_a_timeout()
    {
        using var source = new CancellationTokenSource();
        var asking = new DnsClient().QueryAsync(EndPoint, Name, DnsType.A, source.Token);
        await ReceiveAsync();
        await source.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(asking);
    }

    [Fact]
    public async Task What_is_no_query_is_not_sent() =>
        await Should.ThrowAsync<DnsFormatException>(() => new DnsClient().ExchangeAsync(EndPoint, new byte[12], Cancel));

    private async Task<(DnsMessage Query, EndPoint Client)> ReceiveAsync()
    {
        var buffer = new byte[512];
        var received = await server.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0), Cancel);
        return (DnsMessage.Parse(buffer.AsSpan(0, received.ReceivedBytes)), received.RemoteEndPoint);
    }

    private async Task SendAsync(EndPoint client, DnsMessage message) => await server.SendToAsync(message.ToArray(), client, Cancel);
}
