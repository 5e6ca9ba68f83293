namespace Fairlead.Cli.Hosting;

/// <summary>The companion as a process: what reads this user's kubeconfig for the daemon.</summary>
public interface ICompanionProcess
{
    /// <summary>Starts <c>fairlead companion</c> detached from this terminal; doesn't wait for it. Nothing happens where one runs already.</summary>
    /// <param name="socket">Of the daemon's local API.</param>
    /// <exception cref="Contracts.Errors.FairleadException">It must not run as this user, or no process could be made.</exception>
    void Start(string socket);

    /// <summary>Is the companion: runs while the daemon needs it.</summary>
    Task RunAsync(string socket, CancellationToken cancellationToken);
}
