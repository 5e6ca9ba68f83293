using System.Net;
using System.Text.Json.Nodes;
using Fairlead.Testbed.Clusters;

namespace Fairlead.Testbed;

/// <summary>A way for this process, which is on none of the test's hosts, to a cluster's API server: a kubeconfig of an admin that leads through loopback.</summary>
public sealed class AdminAccess : IAsyncDisposable
{
    private readonly Relay _relay;

    private AdminAccess(Relay relay, string kubeconfig)
    {
        _relay = relay;
        Kubeconfig = kubeconfig;
    }

    /// <summary>A file that goes with this.</summary>
    public string Kubeconfig { get; }

    public static async Task<AdminAccess> OpenAsync(Cluster cluster)
    {
        var config = JsonNode.Parse((await cluster.KubectlAsync("config", "view", "--raw", "--flatten", "--minify", "-o", "json")).Text)!;
        var entry = config["clusters"]![0]!["cluster"]!;
        var relay = Relay.Into(cluster.Host, new IPEndPoint(IPAddress.Parse(cluster.ApiServer.Address), cluster.ApiServer.Port));
        entry["tls-server-name"] ??= cluster.ApiServer.Address;
        entry["server"] = new UriBuilder(entry["server"]!.GetValue<string>()) { Host = relay.Local.Address.ToString(), Port = relay.Local.Port }.Uri.ToString().TrimEnd('/');
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, config.ToJsonString());
        return new AdminAccess(relay, file);
    }

    public async ValueTask DisposeAsync()
    {
        File.Delete(Kubeconfig);
        await _relay.DisposeAsync();
    }
}
