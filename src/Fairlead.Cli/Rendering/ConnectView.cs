using Fairlead.Contracts.Local;

namespace Fairlead.Cli.Rendering;

/// <summary>How a connection and its plan are shown to people.</summary>
internal static class ConnectView
{
    public static void Write(Output output, ConnectState state)
    {
        if (state is not { Connected: true, Plan: { } plan })
        {
            output.Line("Nothing is connected. next: fairlead connect");
            return;
        }

        output.Line($"Connected to space {state.Space} by {state.Device}.");
        output.Line("");
        WriteEntries(output, plan);
        if (state.Problem is { } problem && problem != plan.Refusal)
        {
            output.Warn(problem.Why is null ? problem.Message : $"{problem.Message}: {problem.Why}");
            if (problem.Hint is { } hint)
            {
                output.Note("next: " + hint);
            }
        }
    }

    public static void Write(Output output, PlanState plan)
    {
        output.Line($"{(plan.InForce ? "Connected" : "Not connected; connect would do this")}: space {plan.Space}, {plan.At:HH:mm:ss}, {plan.Cause}");
        output.Line("");
        WriteEntries(output, plan);
    }

    /// <summary>One line for the status.</summary>
    public static string Summary(ConnectState state) => state switch
    {
        { Space: null } => "another person's space",
        { Plan: null } => state.Space,
        _ => $"{state.Space} by {state.Device}: {string.Join(", ", state.Plan.Entries.Where(entry => entry.Action is PlanAction.Routed or PlanAction.Virtual).Select(entry => entry.As is { } local ? $"{entry.Prefix} as {local}" : entry.Prefix))}",
    };

    private static void WriteEntries(Output output, PlanState plan)
    {
        var table = new Table("PREFIX", "OWNER/VIA", "AS", "REASON");
        foreach (var entry in plan.Entries)
        {
            table.Add(
                new Cell(entry.Prefix, StyleOf(entry.Action)),
                entry.Via is { } via ? $"{entry.Owner}, from {via}" : entry.Owner,
                entry.As ?? "-",
                entry.Action == PlanAction.Refused ? "REFUSED: " + entry.Reason : entry.Reason);
        }

        output.Show(table);
        foreach (var warning in plan.Warnings)
        {
            output.Warn(warning);
        }

        if (plan.Refusal is { } refusal)
        {
            output.Warn(refusal.Message);
            output.Note("next: " + refusal.Hint);
        }
    }

    private static Style StyleOf(PlanAction action) => action switch
    {
        PlanAction.Routed => Style.Good,
        PlanAction.Virtual => Style.Strong,
        PlanAction.Refused => Style.Bad,
        _ => Style.Faint,
    };
}
