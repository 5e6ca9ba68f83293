namespace Fairlead.Bench.Scenarios;

/// <summary>How often each way is measured; medians are reported. Fewer are for trying a scenario, not for publishing.</summary>
internal static class Settings
{
    public static int Rounds { get; set; } = 5;
}
