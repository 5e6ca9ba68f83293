using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Shop;

/// <summary>What the HTTP roles have in common.</summary>
internal static class Web
{
    public static WebApplication Create(HttpProtocols protocols = HttpProtocols.Http1)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenAnyIP(Settings.Port, listen => listen.Protocols = protocols));
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, ShopJson.Default));
        var app = builder.Build();
        app.UseExceptionHandler(failed => failed.Run(async context =>
        {
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            var cause = context.Features.Get<IExceptionHandlerFeature>()?.Error.Message ?? "unknown";
            await context.Response.WriteAsync($"{Settings.Pod}: {cause}\n");
        }));
        app.MapGet("/healthz", () => Results.Text("ok\n"));
        return app;
    }
}

internal sealed record Product(int Id, string Name, string Mark, string Description, decimal Price);

internal sealed record ProductList(string Pod, IReadOnlyList<Product> Products);

internal sealed record OrderRequest(int Product);

/// <param name="Counts">How often each product was ordered, by its id.</param>
internal sealed record OrderBook(string Pod, long Total, IReadOnlyDictionary<string, long> Counts);

internal sealed record StockLevel(int Product, int Pieces);

internal sealed record StockReport(string Pod, string Protocol, IReadOnlyList<StockLevel> Levels);

internal sealed record LiveUpdate(string Pod, long Orders);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ProductList))]
[JsonSerializable(typeof(OrderRequest))]
[JsonSerializable(typeof(OrderBook))]
[JsonSerializable(typeof(StockReport))]
[JsonSerializable(typeof(LiveUpdate))]
internal sealed partial class ShopJson : JsonSerializerContext;
