using Fairlead.Cli.Hosting;
using Fairlead.Contracts.Local;

namespace Fairlead.Tests.Cli;

/// <summary>Remembers what it was asked for; runs nothing.</summary>
internal sealed class FakeRun : IRunProcess
{
    public static readonly SpaceStatus Space = new("team", "u", "invite:alice", 1000, true, LinkState.Connecting, default, null, null, null, null, null, null, default, null, 0, 0, 0, 0, 0);

    public int ExitCode { get; init; }

    public RunRequest? Request { get; private set; }

    public IReadOnlyList<string> Command { get; private set; } = [];

    public JoinRequest? Joined { get; private set; }

    public string? Left { get; private set; }

    public Task<int> RunAsync(RunRequest request, IReadOnlyList<string> command, IProgress<string>? progress, Action<string> warn, CancellationToken cancellationToken)
    {
        (Request, Command) = (request, command);
        return Task.FromResult(ExitCode);
    }

    public Task CarryAsync(RunRequest request, int channel, int pid, CancellationToken cancellationToken)
    {
        Request = request;
        return Task.CompletedTask;
    }

    public Task<int> EnterAsync(int channel, IReadOnlyList<string> command, CancellationToken cancellationToken)
    {
        Command = command;
        return Task.FromResult(ExitCode);
    }

    public Task<SpaceStatus> JoinAsync(JoinRequest request, CancellationToken cancellationToken)
    {
        Joined = request;
        return Task.FromResult(Space);
    }

    public Task<string> LeaveAsync(string? space, CancellationToken cancellationToken) => Task.FromResult(Left = space ?? Space.Name);

    public Task UseAsync(string space, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task<SpaceList> ListAsync(CancellationToken cancellationToken) => Task.FromResult(new SpaceList([Space]));

    public Task<IReadOnlyList<DoctorCheck>> ExamineAsync(CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<DoctorCheck>>([new DoctorCheck("private networks", CheckResult.Warning, "They can't be made.", "Do this.")]);
}
