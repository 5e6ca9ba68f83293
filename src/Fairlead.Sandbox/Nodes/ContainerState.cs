using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;

namespace Fairlead.Sandbox.Nodes;

internal enum ContainerPhase
{
    Waiting,
    Running,
    Terminated,
}

/// <summary>One of the three states of a containerStatus. Times are RFC 3339.</summary>
internal sealed record ContainerState(
    ContainerPhase Phase, string? Reason = null, string? Message = null, string? StartedAt = null, string? FinishedAt = null, int ExitCode = 0)
{
    internal static ContainerState Waiting(string reason, string? message = null) => new(ContainerPhase.Waiting, reason, message);

    internal JsonObject Render(string containerId)
    {
        JsonObject body = [];
        void Put(string name, string? value)
        {
            if (value is not null)
            {
                body[name] = value;
            }
        }

        if (Phase == ContainerPhase.Terminated)
        {
            body["exitCode"] = ExitCode;
            Put("containerID", containerId);
        }

        Put("reason", Reason);
        Put("message", Message);
        Put("startedAt", StartedAt);
        Put("finishedAt", FinishedAt);
        return new JsonObject { [Phase.ToString().ToLowerInvariant()] = body };
    }
}

/// <summary>What a pod's status says of one container.</summary>
internal sealed record ContainerStatus(string Name, string Image, string ContainerId)
{
    internal ContainerState State { get; init; } = ContainerState.Waiting("ContainerCreating");

    internal ContainerState? Last { get; init; }

    internal int RestartCount { get; init; }

    internal bool Ready { get; init; }

    internal bool Started { get; init; }

    internal bool IsDone => State.Phase == ContainerPhase.Terminated;

    internal bool Succeeded => IsDone && State.ExitCode == 0;

    internal JsonObject Render() => new()
    {
        ["name"] = Name,
        ["state"] = State.Render(ContainerId),
        ["lastState"] = Last?.Render(ContainerId) ?? [],
        ["ready"] = Ready,
        ["restartCount"] = RestartCount,
        ["image"] = Image,
        ["imageID"] = "",
        ["containerID"] = State.Phase == ContainerPhase.Waiting && Last is null ? "" : ContainerId,
        ["started"] = Started,
    };
}
