using Fairlead.Contracts.Local;
using Fairlead.Daemon.Plan;

namespace Fairlead.Daemon.Connect;

/// <summary>How a plan is told.</summary>
internal static class ConnectText
{
    public static PlanState Describe(string space, bool inForce, DateTimeOffset at, string cause, ConnectPlan plan, AddressTable? table)
    {
        List<string> warnings = [.. plan.Warnings];
        if (table is { IsNearlyFull: true })
        {
            warnings.Add($"Nine tenths of the virtual addresses in {table.Block} are in use: those used least recently are given to others. A larger network helps: 'sudo fairlead options set virtual-subnet 246.0.0.0/8'.");
        }

        return new PlanState(space, inForce, at, cause, plan.Entries, warnings, plan.Refusal, plan.Translated.Count > 0 || plan.Table is not null ? Pool(plan) : null);
    }

    /// <summary>Whether the two say the same of every prefix.</summary>
    public static bool IsSame(PlanState one, PlanState other) =>
        one.InForce == other.InForce && one.Refusal == other.Refusal && one.Entries.SequenceEqual(other.Entries) && one.Warnings.SequenceEqual(other.Warnings);

    private static string Pool(ConnectPlan plan) => string.Join(", ", [.. plan.Translated.Select(subnet => subnet.Local.ToString()), .. plan.Table is { } table ? new[] { table.ToString() } : []]);
}
