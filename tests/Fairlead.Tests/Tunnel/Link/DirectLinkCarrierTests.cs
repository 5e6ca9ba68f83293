using System.Net;
using Fairlead.Tunnel.Direct;
using Fairlead.Tunnel.Link;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Tunnel.Link;

public sealed class DirectLinkCarrierTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Requests_are_refused_once_the_carrier_was_left_and_sent_again_once_it_was_pinged(bool lost)
    {
        await using var gateway = await TestGateway.StartAsync();
        await using var carrier = new DirectLinkCarrier(gateway.Endpoint, gateway.Space.Tls, new DirectCarrierOptions(), null, NullLogger.Instance, TimeProvider.System);
        await carrier.PingAsync(Soon);
        (await WhoAsync(carrier)).ShouldContain("invite:alice");

        carrier.Leave(lost);
        (await Should.ThrowAsync<CarrierException>(() => WhoAsync(carrier))).Error.ShouldBe(LinkProblems.Left);

        await carrier.PingAsync(Soon);
        (await WhoAsync(carrier)).ShouldContain("invite:alice");
    }

    private static async Task<string> WhoAsync(DirectLinkCarrier carrier)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "https://gateway/who") { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var response = await carrier.SendAsync(request, Soon);
        return await response.Content.ReadAsStringAsync(Soon);
    }
}
