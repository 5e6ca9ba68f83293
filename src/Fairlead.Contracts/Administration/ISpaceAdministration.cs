namespace Fairlead.Contracts.Administration;

/// <summary>What an admin does with a kubeconfig; the CLI renders it, Fairlead.Companion does it, as the user who asked.</summary>
public interface ISpaceAdministration
{
    /// <summary>The objects that make a gateway, as YAML documents, for <c>--dry-run</c>.</summary>
    string RenderManifests(GatewayInstallOptions options);

    /// <summary>Applies the manifests (server-side apply) and waits until the gateway is ready; may be repeated.</summary>
    Task InstallGatewayAsync(ClusterSelection cluster, GatewayInstallOptions options, IProgress<string> progress, CancellationToken cancellationToken);

    Task UninstallGatewayAsync(ClusterSelection cluster, IProgress<string> progress, CancellationToken cancellationToken);

    Task<GatewayDeployment> GetGatewayAsync(ClusterSelection cluster, CancellationToken cancellationToken);

    /// <summary>Creates the invite and its Grant and returns the token, which is shown once and stored nowhere.</summary>
    Task<Invitation> InviteAsync(ClusterSelection cluster, InviteOptions options, CancellationToken cancellationToken);

    /// <summary>Lets a Kubernetes user who was revoked enrol again.</summary>
    Task LiftRevocationAsync(ClusterSelection cluster, string user, CancellationToken cancellationToken);

    /// <summary>
    /// Denies every certificate issued to the user so far, and removes the user's invites and Grants. A user <c>k8s:NAME</c>, who could ask for a new
    /// certificate at once, gets none until <see cref="LiftRevocationAsync"/>.
    /// </summary>
    Task RevokeAsync(ClusterSelection cluster, string user, CancellationToken cancellationToken);

    Task<IReadOnlyList<GrantInfo>> ListGrantsAsync(ClusterSelection cluster, CancellationToken cancellationToken);
}

/// <summary>As kubectl's flags of these names; null is the default of the kubeconfig.</summary>
public sealed record ClusterSelection(string? KubeconfigPath, string? Context);

/// <param name="Endpoints">Where laptops reach the gateway, as <c>host:apiPort:dataPort</c>; empty: found from the Service and the nodes.</param>
public sealed record GatewayInstallOptions(string Image, string SpaceName, int Replicas, IReadOnlyList<string> Endpoints);

/// <param name="Namespaces">Rules as <c>namespace</c> or <c>namespace/service</c>, globs allowed.</param>
/// <param name="Expires">How long the token may be used to join.</param>
/// <param name="Uses">How many machines may join with it.</param>
public sealed record InviteOptions(string User, string? Group, IReadOnlyList<string> Namespaces, TimeSpan Expires, int Uses);

public sealed record Invitation(string User, string Space, string Token, DateTimeOffset Expires, int Uses, IReadOnlyList<string> Namespaces);

public sealed record GrantInfo(string Name, IReadOnlyList<string> Subjects, IReadOnlyList<string> Rules, IReadOnlyList<string> Verbs, DateTimeOffset? Created);

public sealed record GatewayDeployment(bool Installed, string? Image, int Replicas, int Ready, string? SpaceName, string? SpaceUid, IReadOnlyList<string> Endpoints, IReadOnlyList<string> Problems);
