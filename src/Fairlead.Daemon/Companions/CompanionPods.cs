using Fairlead.Contracts.Local;
using Fairlead.Tunnel.Link;

namespace Fairlead.Daemon.Companions;

/// <summary>The pods of one space's gateway, through the companion of the space's owner.</summary>
internal sealed class CompanionPods(ICompanions companions, uint owner, ClusterAccess cluster) : IPodDialer
{
    public async Task<PodConnection> DialAsync(string? pod, int port, CancellationToken cancellationToken)
    {
        var carrier = await companions.OpenAsync(owner, new OpenCarrier(cluster, pod, port), cancellationToken);
        return new PodConnection(carrier.Stream, carrier.Server);
    }
}
