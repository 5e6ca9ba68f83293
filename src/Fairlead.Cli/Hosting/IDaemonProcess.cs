namespace Fairlead.Cli.Hosting;

/// <summary>The daemon as a process: what can be done with it when there is no local API to ask.</summary>
public interface IDaemonProcess
{
    /// <summary>Whether this process may change the host's network (it runs as root).</summary>
    bool IsPrivileged { get; }

    /// <summary>Starts <c>fairlead daemon</c> detached from this terminal; doesn't wait for its socket.</summary>
    IStartedDaemon Start(DaemonPaths paths);

    /// <summary>Is the daemon: runs until it is told to stop.</summary>
    Task RunAsync(DaemonPaths paths, CancellationToken cancellationToken);

    /// <summary>Undoes what a killed daemon left on the host.</summary>
    /// <returns>What was undone, one sentence each; empty when there was nothing.</returns>
    /// <exception cref="Contracts.Errors.FairleadException">A daemon runs, or something couldn't be undone.</exception>
    Task<IReadOnlyList<string>> CleanupAsync(DaemonPaths paths, CancellationToken cancellationToken);
}

/// <summary>A daemon that was started and may still fail.</summary>
public interface IStartedDaemon
{
    bool HasExited { get; }

    /// <summary>The last lines it wrote.</summary>
    IReadOnlyList<string> LogTail(int lines);
}

/// <summary>Other places than the host's own, for tests; null is the default.</summary>
public sealed record DaemonPaths(string? RunDirectory = null, string? StateDirectory = null, string? HostsFile = null, string? Socket = null);
