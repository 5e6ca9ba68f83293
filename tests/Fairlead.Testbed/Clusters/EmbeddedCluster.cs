namespace Fairlead.Testbed.Clusters;

/// <summary>The embedded cluster, on the host that laptops are connected to.</summary>
internal sealed class EmbeddedCluster : IClusterProvider
{
    public string? GatewayImage => null;

    public string ShopImage => "fairlead/shop:dev";

    public string PythonImage => "host";

    public IReadOnlyList<string> NodeAddresses { get; } = ["198.18.0.2"];

    public (string Address, int Port) ApiServer => ("198.18.0.1", 6443);

    public string? WhyWithout(ClusterFeature feature) => null;

    public async Task BringUpAsync(Host world)
    {
        (await world.RunAsync([Programs.Fairlead, "sandbox", "up", "--with", "shop"], limit: TimeSpan.FromSeconds(120))).ShouldSucceed();
        (await world.RunAsync("ln", "-s", "/var/lib/fairlead-sandbox/kubeconfig", Cluster.Kubeconfig)).ShouldSucceed();
    }

    public Task ExposeGatewayAsync(Host world) => Task.CompletedTask;

    public Task AwaitShopAsync(Host world) => Shell.EventuallyAsync("every pod of the shop is ready", async () =>
    {
        var pods = (await world.RunAsync("kubectl", "--kubeconfig", Cluster.Kubeconfig, "get", "pods", "-n", "shop", "--no-headers")).Text;
        return pods.Length > 0 && pods.Split('\n').All(p => p.Contains("1/1") && p.Contains("Running"));
    }, TimeSpan.FromSeconds(60));

    public Task TakeDownAsync(Host world) => world.RunAsync([Programs.Fairlead, "sandbox", "down"], limit: TimeSpan.FromSeconds(30));
}
