using System.Text.Json.Nodes;
using Fairlead.Companion.Administration.Values;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Companion.Administration.Installation;

/// <summary>
/// Uninstalls: everything that the release names and everything that an installation of the defaults would have, so that what a broken one
/// left goes too. The release itself goes last, so that this may end at any moment and be repeated.
/// </summary>
internal sealed class Removal(PatientCluster cluster, string ns)
{
    private const string Purpose = "uninstall the gateway";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(250);

    /// <returns>False when there was nothing.</returns>
    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        var standard = GatewayManifests.Make(new GatewayValues(), ns).Select(ObjectReference.Of).ToList();
        await RightsCheck.RequireAsync(cluster, standard, RightsCheck.Uninstall, Purpose, cancellationToken);
        await Site.RequireOursAsync(cluster, ns, cancellationToken);
        var found = await cluster.AskAsync(c => c.GetAsync(Resources.Namespaces, null, ns, cancellationToken), cancellationToken);
        var release = await cluster.AskAsync(c => Release.ReadAsync(c, ns, cancellationToken), cancellationToken);
        List<ObjectReference> objects = [.. standard.Concat(release?.Objects ?? []).Where(o => o.Kind != "Namespace").Distinct()];
        await RightsCheck.RequireAsync(cluster, objects.Except(standard), RightsCheck.Uninstall, Purpose, cancellationToken);

        // What serves goes first, what gives it rights after it.
        var any = false;
        foreach (var reference in Enumerable.Reverse(objects))
        {
            any |= await DeleteAsync(reference, cancellationToken);
        }

        any |= await DeleteRequestsAsync(cancellationToken);
        await AwaitGoneAsync(new("apiextensions.k8s.io/v1", "CustomResourceDefinition", null, $"grants.{ClusterObjects.Group}"), cancellationToken);
        if (found?.Metadata.Labels.GetValueOrDefault(ClusterObjects.ManagedByLabel) == "fairlead")
        {
            await DeleteAsync(new("v1", "Namespace", null, ns), cancellationToken);
            cluster.Progress.Report($"waiting for the namespace {ns} to end");
            await AwaitGoneAsync(new("v1", "Namespace", null, ns), cancellationToken);
            return true;
        }

        // The namespace is somebody else's: out of it goes what the gateway and this program kept in it.
        return found is null ? any : await DeleteKeptAsync(cancellationToken) | any;
    }

    /// <summary>True when it was there. An API server that no longer serves the kind has none of it.</summary>
    public static async Task<bool> DeleteAsync(KubernetesClient client, ObjectReference reference, CancellationToken cancellationToken)
    {
        try
        {
            return await client.DeleteAsync(reference.ToJson(), cancellationToken);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return false;
        }
    }

    private async Task<bool> DeleteAsync(ObjectReference reference, CancellationToken cancellationToken)
    {
        var deleted = await cluster.AskAsync(c => DeleteAsync(c, reference, cancellationToken), cancellationToken);
        if (deleted)
        {
            cluster.Progress.Report($"{reference} deleted");
        }

        return deleted;
    }

    private async Task<bool> DeleteKeptAsync(CancellationToken cancellationToken)
    {
        var invites = await cluster.AskAsync(c => c.ListAsync(Resources.Secrets, ns, ClusterObjects.UserLabel, cancellationToken: cancellationToken), cancellationToken);
        var any = false;
        foreach (var invite in invites.Items.Where(i => i.Type == ClusterObjects.InviteSecretType))
        {
            any |= await DeleteAsync(new("v1", "Secret", ns, invite.Metadata.Name!), cancellationToken);
        }

        any |= await DeleteAsync(new("v1", "Secret", ns, ClusterObjects.AuthoritySecret), cancellationToken);
        foreach (var map in new[] { ClusterObjects.SpaceConfigMap, ClusterObjects.RevocationsConfigMap, ClusterObjects.ReleaseConfigMap })
        {
            any |= await DeleteAsync(new("v1", "ConfigMap", ns, map), cancellationToken);
        }

        return any;
    }

    /// <summary>Requests of people with a kubeconfig; the cluster forgets them by itself, but later.</summary>
    private async Task<bool> DeleteRequestsAsync(CancellationToken cancellationToken)
    {
        JsonNode? list;
        try
        {
            list = await cluster.AskAsync(c => c.GetJsonAsync($"/apis/certificates.k8s.io/v1/certificatesigningrequests?fieldSelector=spec.signerName%3D{Uri.EscapeDataString(ClusterObjects.SignerName)}", cancellationToken), cancellationToken);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return false;
        }

        var any = false;
        foreach (var name in (list?["items"] as JsonArray ?? []).Select(i => i?["metadata"]?["name"]?.GetValue<string>()).OfType<string>())
        {
            any |= await DeleteAsync(new("certificates.k8s.io/v1", "CertificateSigningRequest", null, name), cancellationToken);
        }

        return any;
    }

    private async Task AwaitGoneAsync(ObjectReference reference, CancellationToken cancellationToken)
    {
        var began = cluster.Time.GetTimestamp();
        while (await cluster.AskAsync(c => c.GetAsync(reference.ToJson(), cancellationToken), cancellationToken) is not null)
        {
            if (cluster.Time.GetElapsedTime(began) > Patience)
            {
                throw reference.Kind == "Namespace"
                    ? await Site.StuckAsync(cluster, ns, cancellationToken)
                    : new FairleadException(ErrorCategory.TimedOut, "not-deleted", $"{reference} is being deleted and does not end", "an object of it has a finalizer that nobody removes", $"Look at 'kubectl get grants -A -o yaml', then run this again.");
            }

            await Task.Delay(PollInterval, cluster.Time, cancellationToken);
        }
    }
}
