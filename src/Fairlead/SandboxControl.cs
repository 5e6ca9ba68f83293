using Fairlead.Cli.Hosting;
using Fairlead.Contracts.Errors;
using Fairlead.Kubernetes;
using Fairlead.Sandbox;

namespace Fairlead;

/// <summary>The embedded cluster behind the <c>sandbox</c> verbs.</summary>
internal sealed class SandboxControl : ISandboxControl
{
    public async Task<SandboxState> UpAsync(SandboxRequest request, IProgress<string> progress, CancellationToken cancellationToken)
    {
        // Found before anything is started: a sample that isn't there is no reason to start a cluster.
        var samples = request.With.Select(Sample.Load).ToArray();
        var status = await TellAsync(() => SandboxLauncher.UpAsync(OptionsOf(request), progress, cancellationToken));
        foreach (var sample in samples)
        {
            using var client = new KubernetesClient(KubeConfig.Load(status.Kubeconfig));
            await sample.ApplyAsync(client, progress, cancellationToken);
        }

        return await GetStateAsync(request, cancellationToken);
    }

    public Task DownAsync(SandboxRequest request, CancellationToken cancellationToken) =>
        TellAsync(async () =>
        {
            await SandboxLauncher.DownAsync(OptionsOf(request), cancellationToken);
            return true;
        });

    public async Task<SandboxState> ResetAsync(SandboxRequest request, IProgress<string> progress, CancellationToken cancellationToken)
    {
        await DownAsync(request, cancellationToken);
        return await UpAsync(request, progress, cancellationToken);
    }

    public async Task<SandboxState> GetStateAsync(SandboxRequest request, CancellationToken cancellationToken)
    {
        var status = SandboxLauncher.GetStatus(OptionsOf(request));
        if (!status.Running)
        {
            return new SandboxState(false, null, status.Kubeconfig, null, []);
        }

        using var client = await TellAsync(() => Task.FromResult(new KubernetesClient(KubeConfig.Load(status.Kubeconfig))));
        try
        {
            var pods = await client.ListAsync(Resources.Pods, cancellationToken: cancellationToken);
            return new SandboxState(true, status.Pid, status.Kubeconfig, status.Server, pods.Items.Select(Sample.Describe).ToArray());
        }
        catch (KubernetesException e)
        {
            throw new FairleadException(ErrorCategory.Failed, "sandbox-api", "The cluster's API server does not answer as it should", e.Message, $"See {OptionsOf(request).LogFile}, then: sudo fairlead sandbox reset", e);
        }
    }

    public Task ServeAsync(SandboxRequest request, CancellationToken cancellationToken) =>
        TellAsync(async () =>
        {
            await SandboxLauncher.ServeAsync(OptionsOf(request), cancellationToken);
            return true;
        });

    public string KubeconfigPath(SandboxRequest request) => OptionsOf(request).Kubeconfig;

    private static SandboxOptions OptionsOf(SandboxRequest request)
    {
        var standard = new SandboxOptions();
        var options = request.StateDirectory is { } directory && Path.GetFullPath(directory) != standard.StateDirectory ? SandboxOptions.At(Path.GetFullPath(directory)) : standard;
        return options with
        {
            HostSubnet = request.Subnet ?? options.HostSubnet,
            GatewayProgram = Beside("gateway", "fairlead-gateway"),
            AgentProgram = Beside("agent", "fairlead-agent"),
            ShopProgram = Beside("shop", "fairlead-shop"),
            ImagesFile = request.Images is { } images ? Path.GetFullPath(images) : null,
        };
    }

    /// <summary>The other programs lie beside this one's directory, as ./build puts them; null when one isn't there.</summary>
    private static string? Beside(string directory, string program)
    {
        var path = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", directory, program));
        return File.Exists(path) ? path : null;
    }

    private static async Task<T> TellAsync<T>(Func<Task<T>> action)
    {
        try
        {
            return await action();
        }
        catch (SandboxException e)
        {
            throw new FairleadException(ErrorCategory.Failed, "sandbox", "The sandbox can't do this", e.Message, e.Hint, e);
        }
        catch (KubeConfigException e)
        {
            throw new FairleadException(ErrorCategory.Denied, "sandbox-kubeconfig", "The cluster's kubeconfig can't be used", e.Message, "Its owner is root: try the same with sudo.", e);
        }
    }
}
