using System.Net;
using Shop;
using Shop.Catalog;
using Shop.Frontend;
using Shop.Orders;
using Shop.Sockets;
using Shop.Stock;

// One program, one role for each Deployment of samples/shop/manifests.
switch (args)
{
    case ["frontend"]:
        await FrontendRole.RunAsync();
        return 0;
    case ["catalog"]:
        await CatalogRole.RunAsync();
        return 0;
    case ["orders"]:
        await OrdersRole.RunAsync();
        return 0;
    case ["stock"]:
        await StockRole.RunAsync();
        return 0;
    case ["quotes", var file]:
        await Signals.RunUntilStoppedAsync(stopped => QuotesRole.RunAsync(file, stopped));
        return 0;
    case ["echo"]:
        await Signals.RunUntilStoppedAsync(EchoRole.RunAsync);
        return 0;
    case ["peer", .. var addresses]:
        IPAddress[] listen = addresses.Length == 0 ? [IPAddress.Any] : [.. addresses.Select(IPAddress.Parse)];
        await Signals.RunUntilStoppedAsync(stopped => PeerRole.RunAsync(listen, stopped));
        return 0;
    default:
        Console.Error.WriteLine("usage: fairlead-shop frontend | catalog | orders | stock | quotes FILE | echo | peer [ADDRESS...]");
        return 2;
}
