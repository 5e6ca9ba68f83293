using System.Text.Json.Nodes;
using Fairlead.Companion.Administration.Installation;
using Fairlead.Companion.Administration.Values;
using Fairlead.Contracts.Administration;
using Fairlead.Kubernetes;

namespace Fairlead.Companion.Administration;

/// <summary>Administers a space with the rights of a kubeconfig, as the user who asked: the gateway's installation, and who may use it.</summary>
public sealed partial class SpaceAdministration(TimeProvider? time = null) : ISpaceAdministration
{
    private readonly TimeProvider clock = time ?? TimeProvider.System;

    public async Task<IReadOnlyList<JsonObject>> RenderGatewayAsync(ClusterSelection cluster, GatewayInstallOptions options, CancellationToken cancellationToken)
    {
        var before = options is { Upgrade: true, ResetValues: false }
            ? (await WithClientAsync(cluster, client => new GatewayInstaller(Patient(client, new Progress<string>()), cluster.Namespace).ReadAsync(options, cancellationToken))).Values
            : [];
        return GatewayManifests.Make(ValueMerge.Effective(ValueInputs.Lay(before, options.Values)), cluster.Namespace);
    }

    public Task InstallGatewayAsync(ClusterSelection cluster, GatewayInstallOptions options, IProgress<string> progress, CancellationToken cancellationToken) => WithClientAsync(cluster, async client =>
    {
        await new GatewayInstaller(Patient(client, progress), cluster.Namespace).RunAsync(options, cancellationToken);
        return true;
    });

    public Task<bool> UninstallGatewayAsync(ClusterSelection cluster, IProgress<string> progress, CancellationToken cancellationToken) =>
        WithClientAsync(cluster, client => new Removal(Patient(client, progress), cluster.Namespace).RunAsync(cancellationToken));

    public Task<GatewayDeployment> GetGatewayAsync(ClusterSelection cluster, CancellationToken cancellationToken) =>
        WithClientAsync(cluster, client => new Inspection(client, cluster.Namespace).LookAsync(cancellationToken));

    private PatientCluster Patient(KubernetesClient client, IProgress<string> progress) => new(client, progress, clock);

    private async Task<T> WithClientAsync<T>(ClusterSelection cluster, Func<KubernetesClient, Task<T>> work)
    {
        try
        {
            using var client = new KubernetesClient(ClusterProxy.OfEnvironment(KubeConfig.Load(cluster.KubeconfigPath, cluster.Context)), clock);
            return await work(client);
        }
        catch (KubernetesException e)
        {
            throw ClusterErrors.Explain(e);
        }
        catch (KubeConfigException e)
        {
            throw ClusterErrors.Explain(e);
        }
    }
}
