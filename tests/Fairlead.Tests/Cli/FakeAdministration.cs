using System.Text.Json.Nodes;
using Fairlead.Contracts.Administration;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Tests.Cli;

/// <summary>Notes what it was asked for.</summary>
internal sealed class FakeAdministration : ISpaceAdministration
{
    public InviteOptions? Invited { get; private set; }

    public ClusterSelection? Cluster { get; private set; }

    public GatewayInstallOptions? Rendered { get; private set; }

    public GatewayInstallOptions? Installed { get; private set; }

    public bool Uninstalled { get; private set; }

    public GatewayDeployment Gateway { get; set; } = new(true, "fairlead", "i", 2, 2, "team", "u1", ["gw:1:2"], [], [], true, null, []);

    public Task<IReadOnlyList<JsonObject>> RenderGatewayAsync(ClusterSelection cluster, GatewayInstallOptions options, CancellationToken cancellationToken)
    {
        Rendered = options;
        return Task.FromResult<IReadOnlyList<JsonObject>>([new JsonObject { ["kind"] = "A", ["text"] = "yes" }, new JsonObject { ["kind"] = "B", ["list"] = new JsonArray(1) }]);
    }

    public Task InstallGatewayAsync(ClusterSelection cluster, GatewayInstallOptions options, IProgress<string> progress, CancellationToken cancellationToken)
    {
        Cluster = cluster;
        Installed = options;
        return Task.CompletedTask;
    }

    public Task<bool> UninstallGatewayAsync(ClusterSelection cluster, IProgress<string> progress, CancellationToken cancellationToken)
    {
        Uninstalled = true;
        return Task.FromResult(true);
    }

    public Task<GatewayDeployment> GetGatewayAsync(ClusterSelection cluster, CancellationToken cancellationToken) => Task.FromResult(Gateway);

    public Task<Invitation> InviteAsync(ClusterSelection cluster, InviteOptions options, CancellationToken cancellationToken)
    {
        Cluster = cluster;
        Invited = options;
        return Task.FromResult(new Invitation(options.User, "team", "flj1.token", TimeProvider.System.GetUtcNow() + options.Expires, options.Uses, options.Namespaces));
    }

    public Task RevokeAsync(ClusterSelection cluster, string user, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task LiftRevocationAsync(ClusterSelection cluster, string user, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task<IReadOnlyList<GrantInfo>> ListGrantsAsync(ClusterSelection cluster, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<GrantInfo>>([]);

    public static ConnectedPerson Person(string name) => new("invite:" + name, 1);
}
