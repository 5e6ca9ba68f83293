using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Shop.Stock;

/// <summary>Stock levels over HTTP/2 without TLS, as gRPC services in a cluster speak it (prior knowledge, RFC 9113 §3.3).</summary>
internal static class StockRole
{
    /// <summary>Levels come and go with the hour, so that an answer can be foretold.</summary>
    private const int Products = 6;

    public static async Task RunAsync()
    {
        var app = Web.Create(HttpProtocols.Http2);
        app.MapGet("/stock", (HttpRequest request) => new StockReport(Settings.Pod, request.Protocol, Levels(TimeProvider.System.GetUtcNow())));
        await app.RunAsync();
    }

    private static StockLevel[] Levels(DateTimeOffset now) =>
        Enumerable.Range(1, Products).Select(product => new StockLevel(product, 3 + ((product * 7) + now.Hour) % 20)).ToArray();
}
