using System.Net;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text.Json;

namespace Shop.Frontend;

/// <summary>The shop's page. It asks catalog, orders and stock over HTTP and tells the number of orders live over a WebSocket.</summary>
internal static class FrontendRole
{
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(1);
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(5) };
    private static readonly string Catalog = Settings.Get("CATALOG_URL", "http://catalog");
    private static readonly string Orders = Settings.Get("ORDERS_URL", "http://orders");
    private static readonly string Stock = Settings.Get("STOCK_URL", "http://stock:8080");

    public static async Task RunAsync()
    {
        var app = Web.Create();
        app.UseWebSockets();
        app.MapGet("/", async (CancellationToken aborted) =>
        {
            var products = GetProductsAsync(aborted);
            var orders = GetOrdersAsync(aborted);
            var stock = GetStockAsync(aborted);
            return Results.Content(Page.Render(Settings.Pod, await products, await orders, await stock), "text/html; charset=utf-8");
        });
        app.MapGet("/api/products", (CancellationToken aborted) => GetProductsAsync(aborted));
        app.MapGet("/api/orders", (CancellationToken aborted) => GetOrdersAsync(aborted));
        app.MapPost("/api/orders/{product:int}", async (int product, CancellationToken aborted) =>
        {
            using var answer = await Http.PostAsync($"{Orders}/orders", JsonContent.Create(new OrderRequest(product), ShopJson.Default.OrderRequest), aborted);
            return Results.Content(await answer.Content.ReadAsStringAsync(aborted), "application/json", statusCode: (int)answer.StatusCode);
        });
        app.MapGet("/live", LiveAsync);
        await app.RunAsync();
    }

    private static async Task<ProductList> GetProductsAsync(CancellationToken aborted) =>
        await Http.GetFromJsonAsync($"{Catalog}/products", ShopJson.Default.ProductList, aborted) ?? throw new JsonException("the catalog answered nothing");

    private static async Task<OrderBook> GetOrdersAsync(CancellationToken aborted) =>
        await Http.GetFromJsonAsync($"{Orders}/orders", ShopJson.Default.OrderBook, aborted) ?? throw new JsonException("orders answered nothing");

    /// <summary>HTTP/2 from the first byte, as a gRPC client does it.</summary>
    private static async Task<StockReport> GetStockAsync(CancellationToken aborted)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{Stock}/stock") { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var answer = await Http.SendAsync(request, aborted);
        return await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync(ShopJson.Default.StockReport, aborted) ?? throw new JsonException("stock answered nothing");
    }

    /// <summary>Once a second the number of orders, until the other side closes.</summary>
    private static async Task LiveAsync(HttpContext context)
    {
        if (!context.WebSockets.IsWebSocketRequest)
        {
            context.Response.StatusCode = StatusCodes.Status426UpgradeRequired;
            await context.Response.WriteAsync("this is a WebSocket\n");
            return;
        }

        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, context.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping);
        var closing = ReadUntilClosedAsync(socket, ended);
        try
        {
            while (!ended.IsCancellationRequested)
            {
                var update = new LiveUpdate(Settings.Pod, (await GetOrdersAsync(ended.Token)).Total);
                await socket.SendAsync(JsonSerializer.SerializeToUtf8Bytes(update, ShopJson.Default.LiveUpdate), WebSocketMessageType.Text, true, ended.Token);
                await Task.Delay(Tick, ended.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or WebSocketException or HttpRequestException)
        {
            // the page was left, or orders can't be asked: the page connects again by itself
        }

        await closing;
    }

    private static async Task ReadUntilClosedAsync(WebSocket socket, CancellationTokenSource ended)
    {
        var buffer = new byte[256];
        try
        {
            while ((await socket.ReceiveAsync(buffer, ended.Token)).MessageType != WebSocketMessageType.Close)
            {
                // what the page says is of no interest, that it is there is
            }

            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, ended.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or WebSocketException)
        {
            // gone without a word
        }

        await ended.CancelAsync();
    }
}
