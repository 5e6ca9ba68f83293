namespace Fairlead.Bench.Scenarios;

/// <summary>What the command line says.</summary>
internal static class Settings
{
    /// <summary>How often each way is measured; medians are reported. Fewer are for trying a scenario, not for publishing.</summary>
    public static int Rounds { get; set; } = 5;

    /// <summary>The image of the pods that are talked to, with nginx and python3. The embedded cluster has this machine's programs.</summary>
    public static string PodImage { get; set; } = "host";

    /// <summary>
    /// A process in the network namespace of a node that runs on this machine: the laptop is cabled to it, instead of having its bytes relayed by this
    /// program, and the processor time of the cluster's side can be told. 0 where there is none.
    /// </summary>
    public static int NodePid { get; set; }
}
