using Fairlead.Contracts.Errors;

namespace Fairlead.Cli.Hosting;

/// <summary>The daemon in a container of this user's, with a network of its own that other containers join. This host's network stays as it is.</summary>
public interface IContainerDaemon
{
    /// <summary>Of its local API, on this host.</summary>
    string Socket { get; }

    /// <summary>Starts it with docker or podman; nothing to do when it runs.</summary>
    /// <param name="image">Null: the one of this version.</param>
    /// <exception cref="FairleadException">There is no engine, or it refuses; or it runs already, and from another image than the one that is named.</exception>
    Task StartAsync(string? image, CancellationToken cancellationToken);

    /// <summary>Removes the container; its spaces stay in the volume.</summary>
    /// <exception cref="FairleadException">There is no engine, or it refuses.</exception>
    Task StopAsync(CancellationToken cancellationToken);
}
