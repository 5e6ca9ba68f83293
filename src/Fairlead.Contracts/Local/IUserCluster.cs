using Fairlead.Contracts.Errors;

namespace Fairlead.Contracts.Local;

/// <summary>What a companion does for the daemon (<see cref="CompanionApi"/>), within one process: for what runs as the user itself. Thread-safe.</summary>
public interface IUserCluster : IDisposable
{
    /// <summary>A connection to a port of a pod; the caller owns the stream.</summary>
    /// <returns>The bytes, and the URL of the API server that they go through.</returns>
    /// <exception cref="FairleadException">The kubeconfig can't be used, or the cluster refused.</exception>
    Task<(Stream Stream, string Server)> OpenAsync(OpenCarrier wanted, CancellationToken cancellationToken);

    /// <summary>Has a certificate signed.</summary>
    /// <exception cref="FairleadException">The kubeconfig can't be used, the cluster refused, or the gateway did.</exception>
    Task<ClusterEnrolled> EnrolAsync(ClusterEnrolment wanted, CancellationToken cancellationToken);
}
