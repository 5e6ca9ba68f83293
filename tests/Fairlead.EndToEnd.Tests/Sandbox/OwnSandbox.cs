using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Sandbox;

/// <summary>An empty sandbox on a machine of its own, for the tests of the sandbox itself.</summary>
public sealed class OwnSandbox : IAsyncLifetime
{
    private const string Kubeconfig = "/var/lib/fairlead-sandbox/kubeconfig";

    public Host Host { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Host = await Host.CreateAsync("sandbox");
        await UpAsync();
    }

    public async Task UpAsync()
    {
        var up = await FairleadAsync("sandbox", "up");
        if (up.ExitCode != 0)
        {
            Console.Error.WriteLine((await Host.ShellAsync("tail -n 50 /var/lib/fairlead-sandbox/sandbox.log")).Output);
        }

        up.ShouldSucceed();
    }

    public Task<Outcome> FairleadAsync(params string[] arguments) => Host.RunAsync([Programs.Fairlead, .. arguments]);

    public Task<Outcome> KubectlAsync(params string[] arguments) => Host.RunAsync(["kubectl", "--kubeconfig", Kubeconfig, .. arguments]);

    public async Task ApplyAsync(string yaml) =>
        (await Host.RunAsync(["kubectl", "--kubeconfig", Kubeconfig, "apply", "-f", "-"], yaml)).ShouldSucceed();

    /// <summary>A namespace of the test's own, so that tests do not see each other's objects.</summary>
    public async Task<string> NamespaceAsync(string name)
    {
        (await KubectlAsync("create", "namespace", name)).ShouldSucceed();
        return name;
    }

    /// <summary>
    /// A command in a pod's first container, by a shell, which waits for a line: kubectl before 1.34 loses what comes before it has made its streams
    /// (kubernetes/kubernetes#131203), and it sends that line after.
    /// </summary>
    public Task<Outcome> InPodAsync(string @namespace, string pod, string script) =>
        Host.RunAsync(["kubectl", "--kubeconfig", Kubeconfig, "exec", "-i", "-n", @namespace, pod, "--", "sh", "-c", $"read -r go; {script}"], "go\n");

    /// <summary>The pid of the serving process as the machine sees it.</summary>
    public async Task<int> ServingPidAsync() => int.Parse((await Host.ReadAsync("/run/fairlead-sandbox/pid")).Split(' ')[0]);

    public async ValueTask DisposeAsync()
    {
        await FairleadAsync("sandbox", "down");
        await Host.DisposeAsync();
    }
}
