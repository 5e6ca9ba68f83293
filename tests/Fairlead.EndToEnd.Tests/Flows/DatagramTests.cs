using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Flows;

/// <summary>UDP all the way to the pod and back, by every carrier.</summary>
public sealed class DatagramTests(Lab lab) : LabTest(lab)
{
    /// <summary>What UDP over IPv4 carries at most: 65 535 less the headers of IP and UDP (RFC 768, RFC 791).</summary>
    private const int Largest = 65_507;

    [Theory]
    [InlineData(Way.Direct)]
    [InlineData(Way.WebSocket)]
    [InlineData(Way.PortForward)]
    public async Task Quote_comes_for_a_datagram(Way way)
    {
        var laptop = await Lab.LaptopAsync(way);
        (await laptop.QuoteAsync()).ShouldEndWith(".");
    }

    [Theory]
    [InlineData(Way.Direct)]
    [InlineData(Way.WebSocket)]
    [InlineData(Way.PortForward)]
    public async Task Datagram_of_any_size_is_answered_from_where_it_was_sent_to(Way way)
    {
        var laptop = await Lab.LaptopAsync(way);
        using var client = laptop.Host.OpenSocket(SocketType.Dgram);
        foreach (var destination in new[] { new IPEndPoint(await laptop.ResolveAsync("echo.shop"), 7), new IPEndPoint(await laptop.ResolveAsync(Lab.Peer), Lab.DatagramPort) })
        {
            foreach (var length in new[] { 0, 1, 1472, 1473, 9000, Largest })
            {
                var (answer, from) = await AskAsync(client, destination, RandomNumberGenerator.GetBytes(length));
                from.ShouldBe(destination);
                answer.ShouldBe(length);
            }
        }
    }

    [Theory]
    [InlineData(Way.Direct)]
    [InlineData(Way.WebSocket)]
    [InlineData(Way.PortForward)]
    public async Task Sockets_of_two_programs_get_their_own_answers(Way way)
    {
        var laptop = await Lab.LaptopAsync(way);
        var echo = new IPEndPoint(await laptop.ResolveAsync("echo.shop"), 7);
        using Socket one = laptop.Host.OpenSocket(SocketType.Dgram), other = laptop.Host.OpenSocket(SocketType.Dgram);
        for (var i = 1; i <= 20; i++)
        {
            await Task.WhenAll(AskAsync(one, echo, RandomNumberGenerator.GetBytes(i)), AskAsync(other, echo, RandomNumberGenerator.GetBytes(100 + i)));
        }
    }

    [Fact]
    public async Task Port_that_the_service_lacks_is_refused()
    {
        var laptop = await Lab.LaptopAsync(Way.Direct);
        using var client = laptop.Host.OpenSocket(SocketType.Dgram);
        await client.ConnectAsync(await laptop.ResolveAsync("quotes.shop"), 18);
        await client.SendAsync("anybody?"u8.ToArray());
        var failure = await Should.ThrowAsync<SocketException>(async () => await client.ReceiveAsync(new byte[1], Limit.Token));
        failure.SocketErrorCode.ShouldBe(SocketError.ConnectionRefused);
    }

    /// <summary>Sends and waits for this very content to come back; datagrams may be lost, so it is sent again.</summary>
    private static async Task<(int Length, EndPoint From)> AskAsync(Socket client, IPEndPoint destination, byte[] question)
    {
        var buffer = new byte[Largest];
        for (var attempt = 0; ; attempt++)
        {
            await client.SendToAsync(question, destination, Limit.Token);
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            try
            {
                var answer = await client.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0), patience.Token);
                buffer.AsSpan(0, answer.ReceivedBytes).SequenceEqual(question).ShouldBeTrue($"{answer.ReceivedBytes} bytes came from {answer.RemoteEndPoint}, {question.Length} were sent");
                return (answer.ReceivedBytes, answer.RemoteEndPoint);
            }
            catch (OperationCanceledException) when (attempt < 2)
            {
                Console.Error.WriteLine($"a datagram of {question.Length} bytes to {destination} was lost");
            }
        }
    }
}
