namespace Fairlead.Cli.Hosting;

/// <summary>The embedded cluster as the <c>sandbox</c> verbs drive it.</summary>
public interface ISandboxControl
{
    /// <summary>Brings the cluster up (nothing to do when it is) and applies the samples; returns when the API answers and the samples are ready.</summary>
    Task<SandboxState> UpAsync(SandboxRequest request, IProgress<string> progress, CancellationToken cancellationToken);

    /// <summary>Ends every pod and removes every trace from the host, volumes too.</summary>
    Task DownAsync(SandboxRequest request, CancellationToken cancellationToken);

    Task<SandboxState> GetStateAsync(SandboxRequest request, CancellationToken cancellationToken);

    /// <summary>A fresh cluster in place of this one.</summary>
    Task<SandboxState> ResetAsync(SandboxRequest request, IProgress<string> progress, CancellationToken cancellationToken);

    /// <summary>Is the cluster: runs until it is told to stop.</summary>
    Task ServeAsync(SandboxRequest request, CancellationToken cancellationToken);

    /// <summary>Where the admin's kubeconfig is, whether the cluster is up or not.</summary>
    string KubeconfigPath(SandboxRequest request);
}

/// <param name="StateDirectory">null is the default.</param>
/// <param name="Subnet">The /30 of the link to the host, null is the default.</param>
/// <param name="With">Names of samples to apply, such as <c>shop</c>.</param>
/// <param name="Images">File with a table of more images, null for none.</param>
public sealed record SandboxRequest(string? StateDirectory, string? Subnet, IReadOnlyList<string> With, string? Images = null);

/// <param name="Server">URL of the API server; null when it is down.</param>
public sealed record SandboxState(bool Running, int? Pid, string Kubeconfig, string? Server, IReadOnlyList<SandboxPod> Pods);

public sealed record SandboxPod(string Namespace, string Name, string Phase, bool Ready, int Restarts, string? Address);
