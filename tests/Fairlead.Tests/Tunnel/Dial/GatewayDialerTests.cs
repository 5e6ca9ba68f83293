using System.Net;
using System.Net.Sockets;
using Fairlead.Tunnel.Dial;
using Fairlead.Tunnel.Tls;

namespace Fairlead.Tests.Tunnel.Dial;

public sealed class GatewayDialerTests
{
    [Fact]
    public async Task Proxy_that_takes_the_connection_and_says_nothing_is_given_up()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var time = new ManualTime();
        var dialing = new GatewayDialer(new WebProxy($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}"), time).ConnectAsync("gateway.example.com", 443, CancellationToken.None);
        using var silent = await listener.AcceptSocketAsync();
        (await silent.ReceiveAsync(new byte[1])).ShouldBe(1);
        time.Advance(GatewayDialer.ProxyPatience);

        (await Should.ThrowAsync<CarrierException>(dialing.WaitAsync(TimeSpan.FromSeconds(10)))).Error.Why.ShouldBe("it gave no answer within 8 s");
    }
}
