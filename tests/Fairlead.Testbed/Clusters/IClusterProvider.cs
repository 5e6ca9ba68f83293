namespace Fairlead.Testbed.Clusters;

/// <summary>A cluster for the tests, whichever it is: tests know what it can do, not what it is.</summary>
internal interface IClusterProvider
{
    /// <summary>The image of gateway and shop; null where the product's own default does.</summary>
    string? GatewayImage { get; }

    /// <summary>An image that holds /opt/shop/fairlead-shop.</summary>
    string ShopImage { get; }

    /// <summary>An image with python3.</summary>
    string PythonImage { get; }

    /// <summary>The nodes' addresses, as laptops see them; NodePorts answer there.</summary>
    IReadOnlyList<string> NodeAddresses { get; }

    /// <summary>The API server's address and port, as laptops see them.</summary>
    (string Address, int Port) ApiServer { get; }

    /// <summary>Why the cluster has no such thing; null when it has. Known once the shop is ready.</summary>
    string? WhyWithout(ClusterFeature feature);

    /// <summary>Brings the cluster within reach of <paramref name="world"/>: an admin's kubeconfig at <see cref="Cluster.Kubeconfig"/>, and the shop in it.</summary>
    Task BringUpAsync(Host world);

    /// <summary>The gateway is installed: lets laptops behind <paramref name="world"/> reach it.</summary>
    Task ExposeGatewayAsync(Host world);

    /// <summary>Waits for the shop's pods.</summary>
    Task AwaitShopAsync(Host world);

    /// <summary>Leaves the cluster as it was found.</summary>
    Task TakeDownAsync(Host world);
}
