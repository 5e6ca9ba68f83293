using System.Text.Json.Nodes;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Contracts.Administration;

/// <summary>What an admin does with a kubeconfig; the CLI renders it, Fairlead.Companion does it, as the user who asked.</summary>
public interface ISpaceAdministration
{
    /// <summary>
    /// The objects that make a gateway, for <c>--dry-run</c>, in the order in which they are applied. The cluster is asked only for the
    /// values of an <see cref="GatewayInstallOptions.Upgrade"/> that keeps them.
    /// </summary>
    Task<IReadOnlyList<JsonObject>> RenderGatewayAsync(ClusterSelection cluster, GatewayInstallOptions options, CancellationToken cancellationToken);

    /// <summary>Applies the objects (server-side apply), removes those that the values no longer ask for, and waits until the gateway is ready. May be interrupted and repeated.</summary>
    Task InstallGatewayAsync(ClusterSelection cluster, GatewayInstallOptions options, IProgress<string> progress, CancellationToken cancellationToken);

    /// <summary>Removes everything that an install made, and what people got through it. May be interrupted and repeated.</summary>
    /// <returns>False when there was nothing.</returns>
    Task<bool> UninstallGatewayAsync(ClusterSelection cluster, IProgress<string> progress, CancellationToken cancellationToken);

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
/// <param name="Namespace">Where the gateway lives.</param>
public sealed record ClusterSelection(string? KubeconfigPath, string? Context, string Namespace = ClusterObjects.Namespace);

/// <param name="Upgrade">There has to be a gateway already.</param>
/// <param name="ResetValues">What was set before is forgotten; else it is kept, and <paramref name="Values"/> lie over it.</param>
/// <param name="Wait">How long to wait until the gateway is ready; null: not at all.</param>
public sealed record GatewayInstallOptions(GatewayValueInputs Values, bool Upgrade = false, bool ResetValues = false, TimeSpan? Wait = null);

/// <summary>Values as people give them; later kinds win over earlier ones, as with Helm.</summary>
/// <param name="Files">YAML or JSON.</param>
/// <param name="Json">Arguments of <c>--set-json</c>.</param>
/// <param name="Set">Arguments of <c>--set</c>.</param>
/// <param name="Texts">Arguments of <c>--set-string</c>.</param>
public sealed record GatewayValueInputs(IReadOnlyList<GatewayValuesFile> Files, IReadOnlyList<string> Json, IReadOnlyList<string> Set, IReadOnlyList<string> Texts)
{
    public static GatewayValueInputs None { get; } = new([], [], [], []);
}

/// <param name="Name">For messages.</param>
public sealed record GatewayValuesFile(string Name, string Content);

/// <param name="Namespaces">Rules as <c>namespace</c> or <c>namespace/service</c>, globs allowed.</param>
/// <param name="Expires">How long the token may be used to join.</param>
/// <param name="Uses">How many machines may join with it.</param>
public sealed record InviteOptions(string User, string? Group, IReadOnlyList<string> Namespaces, TimeSpan Expires, int Uses);

public sealed record Invitation(string User, string Space, string Token, DateTimeOffset Expires, int Uses, IReadOnlyList<string> Namespaces);

public sealed record GrantInfo(string Name, IReadOnlyList<string> Subjects, IReadOnlyList<string> Rules, IReadOnlyList<string> Verbs, DateTimeOffset? Created);

/// <param name="People">Who is connected, to any replica that could be asked.</param>
/// <param name="Asked">Every running replica could be asked who is connected.</param>
/// <param name="Problems">What keeps the gateway from being ready.</param>
public sealed record GatewayDeployment(
    bool Installed,
    string Namespace,
    string? Image,
    int Replicas,
    int Ready,
    string? SpaceName,
    string? SpaceUid,
    IReadOnlyList<string> Endpoints,
    IReadOnlyList<GatewayReplica> Pods,
    IReadOnlyList<ConnectedPerson> People,
    bool Asked,
    JsonObject? Values,
    IReadOnlyList<string> Problems);

/// <param name="Version">Null when it could not be asked; so are people and flows.</param>
public sealed record GatewayReplica(string Pod, string? Node, bool Ready, string State, int Restarts, string? Version, int? People, int? Flows, DateTimeOffset? Created);
