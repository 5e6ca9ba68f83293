using Fairlead.Companion.Administration;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Kubernetes;

namespace Fairlead.Companion.Hosting;

/// <summary>One client for each cluster that was asked for, so that plugins and TLS connections are used again. Owns them.</summary>
internal sealed class ClusterClients(TimeProvider time) : IDisposable
{
    /// <summary>As many as a user may have spaces; more means that kubeconfigs were moved about, and the clients begin anew.</summary>
    private const int MaxClients = 16;

    private readonly Lock gate = new();
    private readonly Dictionary<ClusterAccess, (KubernetesClient Client, DateTime Written)> clients = [];

    /// <exception cref="FairleadException">The kubeconfig can't be used.</exception>
    public KubernetesClient Of(ClusterAccess access)
    {
        var written = LastWritten(access.Kubeconfig);
        lock (gate)
        {
            if (clients.TryGetValue(access, out var known))
            {
                if (known.Written == written)
                {
                    return known.Client;
                }

                Remove(access);
            }

            if (clients.Count >= MaxClients)
            {
                foreach (var old in clients.Keys.ToArray())
                {
                    Remove(old);
                }
            }

            var made = Make(access);
            clients[access] = (made, written);
            return made;
        }
    }

    public void Dispose()
    {
        foreach (var (client, _) in clients.Values)
        {
            client.Dispose();
        }
    }

    private KubernetesClient Make(ClusterAccess access)
    {
        try
        {
            return new KubernetesClient(ClusterProxy.OfEnvironment(KubeConfig.LoadListed(access.Kubeconfig, access.Context)), time);
        }
        catch (KubeConfigException e)
        {
            throw ClusterErrors.Explain(e);
        }
    }

    /// <summary>Requests under way on it end; the daemon asks again.</summary>
    private void Remove(ClusterAccess access)
    {
        clients.Remove(access, out var old);
        old.Client.Dispose();
    }

    /// <summary>Of the newest file: a kubeconfig that was written again (a new login) is read again.</summary>
    private static DateTime LastWritten(string files) =>
        files.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries).Select(File.GetLastWriteTimeUtc).DefaultIfEmpty().Max();
}
