using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;

namespace Fairlead.Cli.Hosting;

/// <summary><c>fairlead run</c>: a command in a private network, and the user's own spaces that it leads into. No daemon, no root.</summary>
public interface IRunProcess
{
    /// <summary>
    /// Makes ready what carries the network, then becomes the command: it returns only by throwing, or with the exit code of a shell for a command that can't be run.
    /// </summary>
    /// <param name="warn">Told what a person should know.</param>
    /// <exception cref="FairleadException">No namespaces here, no such space, or it can't be reached.</exception>
    Task<int> RunAsync(RunRequest request, IReadOnlyList<string> command, IProgress<string>? progress, Action<string> warn, CancellationToken cancellationToken);

    /// <summary>Is what carries the network of process <paramref name="pid"/>, until that ends.</summary>
    /// <param name="channel">Number of the descriptor that leads to it.</param>
    Task CarryAsync(RunRequest request, int channel, int pid, CancellationToken cancellationToken);

    /// <summary>Inside the new namespaces: makes the devices, hands them over, becomes the command.</summary>
    /// <returns>As <see cref="RunAsync"/>.</returns>
    Task<int> EnterAsync(int channel, IReadOnlyList<string> command, CancellationToken cancellationToken);

    /// <exception cref="FairleadException"/>
    Task<SpaceStatus> JoinAsync(JoinRequest request, CancellationToken cancellationToken);

    /// <param name="space">Null: the one in use.</param>
    /// <returns>The name of what was left.</returns>
    /// <exception cref="FairleadException">There is no such space.</exception>
    Task<string> LeaveAsync(string? space, CancellationToken cancellationToken);

    /// <exception cref="FairleadException">There is no such space.</exception>
    Task UseAsync(string space, CancellationToken cancellationToken);

    Task<SpaceList> ListAsync(CancellationToken cancellationToken);

    /// <summary>What this host has for <c>run</c> and for containers, as this user may use it.</summary>
    Task<IReadOnlyList<DoctorCheck>> ExamineAsync(CancellationToken cancellationToken);
}

/// <param name="Space">Null: the one in use.</param>
/// <param name="Consume">Rules; empty: the cluster's whole subnets.</param>
/// <param name="Namespace">Whose services have bare names.</param>
public sealed record RunRequest(string? Space, IReadOnlyList<string> Consume, string? Namespace);
