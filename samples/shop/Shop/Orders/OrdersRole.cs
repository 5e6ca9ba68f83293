namespace Shop.Orders;

/// <summary>Orders, counted in Redis.</summary>
internal static class OrdersRole
{
    private const string Key = "orders";

    public static async Task RunAsync()
    {
        var host = Settings.Get("REDIS_HOST", "redis");
        const int port = 6379; // REDIS_PORT is taken: Kubernetes sets it to an URL in every pod beside a Service named redis
        var app = Web.Create();
        app.MapGet("/orders", async (CancellationToken aborted) =>
        {
            await using var redis = await RedisConnection.OpenAsync(host, port, aborted);
            return await ReadAsync(redis, aborted);
        });
        app.MapPost("/orders", async (OrderRequest order, CancellationToken aborted) =>
        {
            await using var redis = await RedisConnection.OpenAsync(host, port, aborted);
            await redis.AskAsync(["HINCRBY", Key, $"{order.Product}", "1"], aborted);
            return await ReadAsync(redis, aborted);
        });
        await app.RunAsync();
    }

    private static async Task<OrderBook> ReadAsync(RedisConnection redis, CancellationToken aborted)
    {
        var fields = await redis.AskAsync(["HGETALL", Key], aborted);
        var counts = new Dictionary<string, long>();
        for (var i = 0; i + 1 < fields.Count; i += 2)
        {
            counts[fields[i]] = long.Parse(fields[i + 1]);
        }

        return new OrderBook(Settings.Pod, counts.Values.Sum(), counts);
    }
}
