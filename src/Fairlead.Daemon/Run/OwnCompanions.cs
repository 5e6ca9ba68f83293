using Fairlead.Contracts.Local;
using Fairlead.Daemon.Companions;

namespace Fairlead.Daemon.Run;

/// <summary>Where the process runs as the user itself, it is its own companion.</summary>
internal sealed class OwnCompanions(IUserCluster cluster) : ICompanions
{
    /// <summary>Never pulsed: it neither comes nor goes.</summary>
    public Signal Changed { get; } = new();

    public int? PidOf(uint uid) => Environment.ProcessId;

    public async Task<CompanionCarrier> OpenAsync(uint uid, OpenCarrier wanted, CancellationToken cancellationToken)
    {
        var (stream, server) = await cluster.OpenAsync(wanted, cancellationToken);
        return new CompanionCarrier(stream, server);
    }

    public Task<ClusterEnrolled> EnrolAsync(uint uid, ClusterEnrolment wanted, CancellationToken cancellationToken) => cluster.EnrolAsync(wanted, cancellationToken);
}
