using System.Globalization;

namespace Shop.Catalog;

/// <summary>Products, read from PostgreSQL.</summary>
internal static class CatalogRole
{
    public static async Task RunAsync()
    {
        var address = new PostgresAddress(
            Settings.Get("POSTGRES_HOST", "postgres"),
            5432,
            Settings.Get("POSTGRES_USER", "shop"),
            Settings.Get("POSTGRES_PASSWORD", ""),
            Settings.Get("POSTGRES_DB", "shop"));
        var app = Web.Create();
        app.MapGet("/products", async (CancellationToken aborted) =>
        {
            await using var connection = await PostgresConnection.OpenAsync(address, aborted);
            var rows = await connection.QueryAsync("select id, name, mark, description, price from products order by id", aborted);
            return new ProductList(Settings.Pod, rows.Select(r => new Product(Number(r[0]), Text(r[1]), Text(r[2]), Text(r[3]), decimal.Parse(Text(r[4]), CultureInfo.InvariantCulture))).ToArray());
        });
        await app.RunAsync();
    }

    private static string Text(string? value) => value ?? "";

    private static int Number(string? value) => int.Parse(Text(value), CultureInfo.InvariantCulture);
}
