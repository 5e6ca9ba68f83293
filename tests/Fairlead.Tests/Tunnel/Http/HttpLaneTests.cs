using System.Net;
using System.Net.Sockets;
using Fairlead.Tunnel.Http;

namespace Fairlead.Tests.Tunnel.Http;

public sealed class HttpLaneTests : IAsyncLifetime
{
    private TestGateway _gateway = null!;
    private HttpLane _lane = null!;

    public async ValueTask InitializeAsync()
    {
        _gateway = await TestGateway.StartAsync();
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync("127.0.0.1", _gateway.ApiPort, Soon);
        _lane = await HttpLane.ConnectAsync(new NetworkStream(socket, ownsSocket: true), _gateway.Space.Tls, "gateway", Soon);
    }

    public async ValueTask DisposeAsync()
    {
        await _lane.DisposeAsync();
        await _gateway.StopAsync();
    }

    [Fact]
    public async Task Answer_is_forgotten_once_it_was_read()
    {
        var answers = new List<WeakReference>();
        for (var i = 0; i < 8; i++)
        {
            answers.Add(await AskAsync());
        }

        // The last one may still be on somebody's stack.
        await UntilAsync(() =>
        {
            GC.Collect();
            return answers.Count(answer => answer.IsAlive) <= 1;
        });
        _lane.IsUsable.ShouldBeTrue();
    }

    [Fact]
    public async Task Answer_breaks_off_when_the_lane_is_lost()
    {
        using var request = Who();
        using var response = await _lane.SendAsync(request, Soon);
        response.Content.Headers.ContentType!.MediaType.ShouldBe("text/plain");
        _lane.Retire(lost: true);
        await Should.ThrowAsync<Exception>(() => response.Content.ReadAsStringAsync(Soon));
        using var next = Who();
        await Should.ThrowAsync<HttpRequestException>(() => _lane.SendAsync(next, Soon));
    }

    private static HttpRequestMessage Who() => new(HttpMethod.Get, "https://gateway/who") { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };

    private async Task<WeakReference> AskAsync()
    {
        using var request = Who();
        using var response = await _lane.SendAsync(request, Soon);
        (await response.Content.ReadAsStringAsync(Soon)).ShouldContain("invite:alice");
        return new WeakReference(response);
    }
}
