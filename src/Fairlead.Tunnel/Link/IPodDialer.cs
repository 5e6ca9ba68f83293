using Fairlead.Contracts.Errors;

namespace Fairlead.Tunnel.Link;

/// <summary>Reaches the gateway's pods where no address of it can be reached: through the cluster's API server, as the user.</summary>
public interface IPodDialer
{
    /// <param name="pod">Null: any that is ready.</param>
    /// <exception cref="FairleadException">It can't be had, and why.</exception>
    Task<PodConnection> DialAsync(string? pod, int port, CancellationToken cancellationToken);
}

/// <param name="Stream">Owned by the caller.</param>
/// <param name="Through">URL of the API server.</param>
public sealed record PodConnection(Stream Stream, string Through);
