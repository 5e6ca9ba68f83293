using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;

namespace Fairlead.Daemon.Companions;

/// <summary>The companions as the parts that need one use them.</summary>
internal interface ICompanions
{
    /// <summary>Pulsed when a companion came or went.</summary>
    Signal Changed { get; }

    /// <summary>The process id of the uid's companion; null while none is connected.</summary>
    int? PidOf(uint uid);

    /// <summary>A connection to a port of a pod, as the user. The caller owns it.</summary>
    /// <exception cref="FairleadException">There is no companion, or the cluster refused.</exception>
    Task<CompanionCarrier> OpenAsync(uint uid, OpenCarrier wanted, CancellationToken cancellationToken);

    /// <summary>Waits a moment for a companion that is just being started.</summary>
    /// <exception cref="FairleadException">There is no companion, the cluster refused, or the gateway did.</exception>
    Task<ClusterEnrolled> EnrolAsync(uint uid, ClusterEnrolment wanted, CancellationToken cancellationToken);
}

/// <param name="Server">URL of the API server that it goes through, as the companion says; empty when it doesn't.</param>
internal sealed record CompanionCarrier(Stream Stream, string Server);
