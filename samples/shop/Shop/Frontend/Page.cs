using System.Net;
using System.Text;

namespace Shop.Frontend;

/// <summary>The one page of the shop.</summary>
internal static class Page
{
    private const string Head = """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>The Chandlery</title>
        <style>
        :root { --ink: #10243e; --sea: #0f6e84; --foam: #f3f8fa; --line: #d5e3e8; --rope: #c98a2b; }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--foam); color: var(--ink); font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; }
        header { background: linear-gradient(120deg, #0b3550, var(--sea)); color: #fff; padding: 2.5rem 1.5rem 2rem; }
        header h1 { margin: 0; font-size: 2rem; letter-spacing: .02em; }
        header p { margin: .25rem 0 0; opacity: .85; }
        main, footer, header > div { max-width: 60rem; margin: 0 auto; }
        main { padding: 1.5rem; display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); }
        article { background: #fff; border: 1px solid var(--line); border-radius: .75rem; padding: 1.25rem; display: flex; flex-direction: column; }
        article .icon { font-size: 1.15rem; font-weight: 700; color: var(--sea); background: var(--foam); width: 2.75rem; height: 2.75rem; border-radius: 50%; display: grid; place-items: center; }
        article h2 { margin: .75rem 0 .25rem; font-size: 1.1rem; }
        article p { margin: 0 0 1rem; flex: 1; color: #4a5d73; }
        article p.stock { margin: 0 0 .75rem; flex: 0; font-size: .85rem; }
        article div.buy { display: flex; align-items: center; justify-content: space-between; }
        .price { font-weight: 700; }
        .sold { color: #4a5d73; font-size: .85rem; margin-left: .5rem; font-weight: 400; }
        button { background: var(--rope); color: #fff; border: 0; border-radius: .5rem; padding: .5rem 1rem; font: inherit; cursor: pointer; }
        button:hover { filter: brightness(1.08); }
        footer { padding: 0 1.5rem 2rem; color: #4a5d73; font-size: .9rem; }
        code { background: #e6eff2; border-radius: .25rem; padding: .1rem .35rem; }
        </style>
        </head>
        <body>

        """;

    private const string Script = """
        <script>
        document.querySelectorAll('button').forEach(b => b.onclick = async () => {
          const answer = await fetch('api/orders/' + b.dataset.product, { method: 'POST' });
          const book = await answer.json();
          document.querySelectorAll('.sold').forEach(s => s.textContent = (book.counts[s.dataset.product] ?? 0) + ' sold');
        });
        (function live() {
          const socket = new WebSocket(location.href.replace(/^http/, 'ws').replace(/[^/]*$/, 'live'));
          socket.onmessage = m => { const u = JSON.parse(m.data); document.getElementById('orders').textContent = u.orders; document.getElementById('live').textContent = u.pod; };
          socket.onclose = () => setTimeout(live, 1000);
        })();
        </script>
        </body>
        </html>

        """;

    public static string Render(string pod, ProductList catalog, OrderBook orders, StockReport stock)
    {
        var pieces = stock.Levels.ToDictionary(l => l.Product, l => l.Pieces);
        var html = new StringBuilder(Head)
            .Append("<header><div><h1>The Chandlery</h1><p>Everything for the deck, straight from the cluster. <span id=\"orders\">")
            .Append(orders.Total).Append("</span> orders so far.</p></div></header>\n<main>\n");
        foreach (var product in catalog.Products)
        {
            html.Append("<article><span class=\"icon\">").Append(WebUtility.HtmlEncode(product.Mark))
                .Append("</span><h2>").Append(WebUtility.HtmlEncode(product.Name))
                .Append("</h2><p>").Append(WebUtility.HtmlEncode(product.Description))
                .Append("</p><p class=\"stock\">").Append(pieces.GetValueOrDefault(product.Id)).Append(" in stock")
                .Append("</p><div class=\"buy\"><span class=\"price\">€ ").Append(product.Price.ToString("F2"))
                .Append("<span class=\"sold\" data-product=\"").Append(product.Id).Append("\">")
                .Append(orders.Counts.GetValueOrDefault($"{product.Id}")).Append(" sold</span></span><button data-product=\"").Append(product.Id)
                .Append("\">Buy</button></div></article>\n");
        }

        return html.Append("</main>\n<footer>Page by <code>").Append(WebUtility.HtmlEncode(pod))
            .Append("</code>, products from PostgreSQL by <code>").Append(WebUtility.HtmlEncode(catalog.Pod))
            .Append("</code>, orders in Redis by <code>").Append(WebUtility.HtmlEncode(orders.Pod))
            .Append("</code>, stock over ").Append(WebUtility.HtmlEncode(stock.Protocol)).Append(" by <code>").Append(WebUtility.HtmlEncode(stock.Pod))
            .Append("</code>, live by <code id=\"live\">…</code></footer>\n")
            .Append(Script).ToString();
    }
}
