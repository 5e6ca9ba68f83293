
namespace Fairlead.Testbed;

/// <summary>The embedded cluster on a host of its own, with the shop and the gateway in it.</summary>
public sealed class Cluster : IAsyncDisposable
{
    public const string Kubeconfig = "/var/lib/fairlead-sandbox/kubeconfig";

    private int _laptops;

    private Cluster(Host host) => Host = host;

    /// <summary>The machine that the cluster runs on; laptops are connected to it by cables.</summary>
    public Host Host { get; }

    public static async Task<Cluster> CreateAsync()
    {
        var cluster = new Cluster(await Host.CreateAsync("world"));
        try
        {
            (await cluster.FairleadAsync(["sandbox", "up", "--with", "shop"], TimeSpan.FromSeconds(120))).ShouldSucceed();
            (await cluster.FairleadAsync(["gateway", "install", "--kubeconfig", Kubeconfig], TimeSpan.FromSeconds(120))).ShouldSucceed();
            await Shell.EventuallyAsync("every pod of the shop is ready", async () =>
            {
                var pods = (await cluster.KubectlAsync("get", "pods", "-n", "shop", "--no-headers")).Text;
                return pods.Length > 0 && pods.Split('\n').All(p => p.Contains("1/1") && p.Contains("Running"));
            }, TimeSpan.FromSeconds(60));
            return cluster;
        }
        catch
        {
            await cluster.PrintLogsAsync();
            await cluster.DisposeAsync();
            throw;
        }
    }

    public async Task PrintLogsAsync()
    {
        Console.Error.WriteLine("--- gateway");
        Console.Error.WriteLine((await KubectlAsync("logs", "-n", "fairlead", "deploy/fairlead-gateway", "--tail=100")).Output);
        Console.Error.WriteLine("--- pods");
        Console.Error.WriteLine((await KubectlAsync("get", "pods", "-A", "-o", "wide")).Output);
        Console.Error.WriteLine((await Host.ShellAsync($$"""
            k="kubectl --kubeconfig {{Kubeconfig}}"
            $k get pods -n shop --no-headers | awk '$2 != "1/1" { print $1 }' | while read pod; do
              echo "--- $pod"; $k logs -n shop --tail=40 $pod; $k logs -n shop --previous --tail=40 $pod; $k describe pod -n shop $pod | tail -n 20
            done
            """)).Output);
    }

    public Task<Outcome> FairleadAsync(IReadOnlyList<string> arguments, TimeSpan? limit = null) => Host.RunAsync([Programs.Fairlead, .. arguments], limit: limit);

    public Task<Outcome> KubectlAsync(params string[] arguments) => Host.RunAsync(["kubectl", "--kubeconfig", Kubeconfig, .. arguments]);

    public async Task ApplyAsync(string yaml) =>
        (await Host.RunAsync(["kubectl", "--kubeconfig", Kubeconfig, "apply", "-f", "-"], yaml)).ShouldSucceed();

    public async Task<string> InviteAsync(string user, string namespaces, params string[] more) =>
        (await FairleadAsync(["space", "invite", user, "--namespaces", namespaces, "--kubeconfig", Kubeconfig, "-o", "json", .. more])).Text
            is var json ? System.Text.Json.JsonDocument.Parse(json).RootElement.GetProperty("token").GetString()! : "";

    /// <summary>A new laptop with a cable to the cluster's host and a running daemon.</summary>
    public async Task<Laptop> NewLaptopAsync(bool bindMountedHosts = false, bool start = true)
    {
        var number = Interlocked.Increment(ref _laptops);
        var laptop = new Laptop(await Host.CreateAsync($"laptop{number}", bindMountedHosts), number);
        try
        {
            await Host.ConnectAsync(laptop.Host, 100 + number);
            if (start)
            {
                await laptop.StartAsync();
            }

            return laptop;
        }
        catch
        {
            await laptop.DisposeAsync();
            throw;
        }
    }

    /// <summary>A laptop whose user, invited for <paramref name="namespaces"/>, has joined.</summary>
    public async Task<Laptop> NewMemberAsync(string namespaces = "shop", bool bindMountedHosts = false)
    {
        var laptop = await NewLaptopAsync(bindMountedHosts);
        try
        {
            await JoinAsync(laptop, namespaces);
            return laptop;
        }
        catch
        {
            await laptop.PrintLogsAsync();
            await laptop.DisposeAsync();
            throw;
        }
    }

    /// <summary>Invites a user of the laptop's own for <paramref name="namespaces"/> and joins.</summary>
    public async Task JoinAsync(Laptop laptop, string namespaces)
    {
        laptop.User = $"user{laptop.Number}";
        (await laptop.FairleadAsync("join", await InviteAsync(laptop.User, namespaces))).ShouldSucceed();
    }

    public async ValueTask DisposeAsync()
    {
        await FairleadAsync(["sandbox", "down"], TimeSpan.FromSeconds(30));
        await Host.DisposeAsync();
    }
}
