using System.Net.Sockets;
using System.Text;
using Fairlead.Cli.Local;

namespace Fairlead.Tests.Cli.Local;

/// <summary>Against a socket that answers bytes, not against a web server: what a real one never sends must be survived, too.</summary>
public sealed class LocalExchangeTests : IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("fl-cli-").FullName;
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private Task _answering = Task.CompletedTask;
    private string _asked = "";

    public LocalExchangeTests()
    {
        _listener.Bind(new UnixDomainSocketEndPoint(Path.Combine(_directory, "s")));
        _listener.Listen();
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();

        // Where the answer was refused its sender found nobody left.
        await _answering.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task Request_with_a_body_says_its_length_and_asks_for_a_plain_answer()
    {
        using var exchange = await AskAsync("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "PUT", "{}"u8.ToArray());

        exchange.Status.ShouldBe(204);
        _asked.ShouldBe("PUT /v1/x HTTP/1.0\r\nHost: daemon\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\n\r\nbody", "body")]
    [InlineData("HTTP/1.1 200 OK\r\ncontent-length:  4\r\n\r\nbody and more", "body")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "")]
    public async Task Body_ends_with_its_length_or_with_the_connection(string answer, string expected)
    {
        using var exchange = await AskAsync(answer);

        Text(await exchange.ReadToEndAsync(Token)).ShouldBe(expected);
    }

    [Fact]
    public async Task Body_larger_than_any_buffer_comes_whole()
    {
        var body = string.Concat(Enumerable.Range(0, 50_000).Select(i => $"{i},"));
        using var exchange = await AskAsync("HTTP/1.1 200 OK\r\n\r\n" + body);

        Text(await exchange.ReadToEndAsync(Token)).ShouldBe(body);
    }

    [Fact]
    public async Task Lines_come_one_by_one_whatever_their_length()
    {
        string[] lines = ["short", "", new('x', 100_000), "last, without an end"];
        using var exchange = await AskAsync("HTTP/1.1 200 OK\r\n\r\n" + string.Join('\n', lines));

        foreach (var line in lines)
        {
            Text(await exchange.ReadLineAsync(Token) ?? default).ShouldBe(line);
        }

        (await exchange.ReadLineAsync(Token)).ShouldBeNull();
    }

    [Theory]
    [InlineData("", "the connection ended without an answer")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Le", "it is not HTTP")]
    [InlineData("SSH-2.0-OpenSSH\r\n\r\n", "it is not HTTP")]
    [InlineData("HTTP/1.1 fine\r\n\r\n", "it is not HTTP")]
    public async Task Answer_that_is_none_is_told(string answer, string expected) =>
        (await Should.ThrowAsync<InvalidDataException>(() => AskAsync(answer))).Message.ShouldBe(expected);

    [Fact]
    public async Task Head_without_an_end_is_given_up() =>
        (await Should.ThrowAsync<InvalidDataException>(() => AskAsync("HTTP/1.1 200 OK\r\nX: " + new string('x', 20_000)))).Message.ShouldBe("it is not HTTP");

    [Fact]
    public async Task Body_that_ends_early_is_told()
    {
        using var exchange = await AskAsync("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");

        (await Should.ThrowAsync<InvalidDataException>(() => exchange.ReadToEndAsync(Token))).Message.ShouldBe("it ended before its announced length");
    }

    [Fact]
    public async Task Wait_for_an_answer_ends_when_cancelled()
    {
        using var exchange = LocalExchange.Connect(Path.Combine(_directory, "s"));
        using var cancelled = new CancellationTokenSource();
        var asking = exchange.SendAsync("GET", "/v1/x", null, cancelled.Token);
        using var accepted = await _listener.AcceptAsync(Token);

        await cancelled.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => asking);
    }

    /// <summary>Sends a request, of which the listener reads one piece, and answers with these bytes and the end of the connection.</summary>
    private async Task<LocalExchange> AskAsync(string answer, string method = "GET", byte[]? body = null)
    {
        _answering = AnswerAsync(answer);
        var exchange = LocalExchange.Connect(Path.Combine(_directory, "s"));
        try
        {
            await exchange.SendAsync(method, "/v1/x", body, Token);
            return exchange;
        }
        catch
        {
            exchange.Dispose();
            throw;
        }
    }

    private async Task AnswerAsync(string answer)
    {
        using var accepted = await _listener.AcceptAsync(Token);
        var buffer = new byte[4096];
        _asked = Encoding.ASCII.GetString(buffer, 0, await accepted.ReceiveAsync(buffer, Token));
        var bytes = Encoding.ASCII.GetBytes(answer);
        for (var sent = 0; sent < bytes.Length;)
        {
            sent += await accepted.SendAsync(bytes.AsMemory(sent), Token);
        }
    }

    private static string Text(ReadOnlyMemory<byte> bytes) => Encoding.ASCII.GetString(bytes.Span);

    private static CancellationToken Token => TestContext.Current.CancellationToken;
}
