using System.Text.Json.Nodes;
using Fairlead.Companion.Administration.Values;
using Fairlead.Contracts.Administration;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Companion.Administration.Installation;

/// <summary>
/// Installs and upgrades. What is wanted, and what may come to be, is written down in the cluster first (<see cref="Release"/>), so that it
/// may end at any moment and be repeated; every step is one that changes nothing when it was taken before.
/// </summary>
internal sealed class GatewayInstaller(PatientCluster cluster, string ns)
{
    internal const string FieldManager = "fairlead";
    private const string Purpose = "install the gateway";
    private static readonly TimeSpan NamespacePatience = TimeSpan.FromMinutes(2);

    public async Task RunAsync(GatewayInstallOptions options, CancellationToken cancellationToken)
    {
        // First without the cluster, as far as that goes: a typing mistake needs none.
        var given = GatewayManifests.Make(ValueMerge.Effective(ValueInputs.Lay([], options.Values)), ns).Select(ObjectReference.Of).Append(Release.Reference(ns)).ToList();
        await RightsCheck.RequireAsync(cluster, given, RightsCheck.Install, Purpose, cancellationToken);
        await Site.RequireOursAsync(cluster, ns, cancellationToken);
        var ownNamespace = await Site.AwaitNamespaceAsync(cluster, ns, options.Wait ?? NamespacePatience, cancellationToken);
        var before = await ReadAsync(options, cancellationToken);
        var set = ValueInputs.Lay(options.ResetValues ? [] : before.Values, options.Values);
        var objects = GatewayManifests.Make(ValueMerge.Effective(set), ns).Where(o => ownNamespace || o["kind"]!.GetValue<string>() != "Namespace").ToList();
        var wanted = objects.ConvertAll(ObjectReference.Of);
        var obsolete = before.Objects.Except(wanted).ToList();
        var release = new Release(set, wanted);
        await RightsCheck.RequireAsync(cluster, wanted.Except(given), RightsCheck.Install, Purpose, cancellationToken);
        await RightsCheck.RequireAsync(cluster, obsolete, RightsCheck.Uninstall, Purpose, cancellationToken);

        foreach (var value in objects.Where(o => o["kind"]!.GetValue<string>() == "Namespace"))
        {
            await ApplyAsync(value, cancellationToken);
        }

        await ApplyAsync((release with { Objects = [.. wanted, .. obsolete] }).ToJson(ns), cancellationToken);
        foreach (var value in objects.Where(o => o["kind"]!.GetValue<string>() != "Namespace"))
        {
            await ApplyAsync(value, cancellationToken);
        }

        foreach (var reference in obsolete)
        {
            await DeleteAsync(reference, cancellationToken);
        }

        await ApplyAsync(release.ToJson(ns), cancellationToken);
        if (options.Wait is { } patience)
        {
            await new Readiness(cluster, ns).WaitAsync(patience, cancellationToken);
        }
    }

    /// <summary>What was set before, or nothing.</summary>
    public async Task<Release> ReadAsync(GatewayInstallOptions options, CancellationToken cancellationToken)
    {
        var release = await cluster.AskAsync(c => Release.ReadAsync(c, ns, cancellationToken), cancellationToken);
        return release is null && options.Upgrade && await cluster.AskAsync(c => c.GetAsync(Resources.Deployments, ns, ClusterObjects.Gateway, cancellationToken), cancellationToken) is null
            ? throw new FairleadException(
                ErrorCategory.Failed, "gateway-not-installed", $"There is no gateway in namespace {ns} that could be upgraded", "it has neither a Deployment nor the record of an installation", "Install one: fairlead gateway install")
            : release ?? new Release([], []);
    }

    private async Task ApplyAsync(JsonObject value, CancellationToken cancellationToken)
    {
        var reference = ObjectReference.Of(value);
        try
        {
            await cluster.AskAsync(c => c.ApplyAsync(value, FieldManager, force: true, cancellationToken), cancellationToken);
        }
        catch (KubernetesException e) when (e.IsNotFound && reference.Namespace is { } other && other != ns)
        {
            throw new FairleadException(ErrorCategory.Failed, "namespace-missing", $"There is no namespace {other}", "the gateway is to look into it (the value 'namespaces')", $"Create it, or leave it out: kubectl create namespace {other}", e);
        }
        catch (KubernetesException e) when (e is { Code: 422 } && reference.Kind == "Service" && e.Message.Contains("allocated", StringComparison.Ordinal))
        {
            throw new FairleadException(
                ErrorCategory.Conflict, "node-port-taken", "Another Service has the gateway's node port", e.Message, "Let the cluster choose: --set service.nodePorts.api=0,service.nodePorts.data=0", e);
        }
        catch (KubernetesException e) when (e is { Code: 403 } && e.Message.Contains("being terminated", StringComparison.Ordinal))
        {
            throw await Site.StuckAsync(cluster, ns, cancellationToken);
        }

        cluster.Progress.Report($"{reference} applied");
    }

    private async Task DeleteAsync(ObjectReference reference, CancellationToken cancellationToken)
    {
        if (await cluster.AskAsync(c => Removal.DeleteAsync(c, reference, cancellationToken), cancellationToken))
        {
            cluster.Progress.Report($"{reference} is no longer wanted and deleted");
        }
    }
}
