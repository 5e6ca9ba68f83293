using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Daemon.Plan;

/// <summary>What people are told when a plan can't be applied: what is in the way, and commands that make it possible.</summary>
internal static class PlanRefusal
{
    public const string Code = "subnet-conflict";

    /// <summary>The three ways out, for all of the subnets at once.</summary>
    public static ErrorInfo Of(IReadOnlyList<(Prefix Subnet, HostConflict Conflict)> conflicts)
    {
        var subnets = conflicts.Select(one => one.Subnet.ToString()).ToList();
        return new ErrorInfo(
            ErrorCategory.Conflict,
            Code,
            string.Join("\n", conflicts.Select(one => $"subnet {one.Subnet} overlaps with existing route \"{one.Conflict.Route}\"")),
            "both can't have the same addresses, and auto-resolve-conflicts is off; nothing was changed",
            $"""
            one of
                fairlead connect {string.Join(' ', subnets.Select(subnet => $"--vnat {subnet}"))}   # reach it by other addresses
                fairlead connect {string.Join(' ', subnets.Select(subnet => $"--proxy-via {subnet}=WORKLOAD"))}   # the same, from a pod of that workload
                fairlead connect {string.Join(' ', subnets.Select(subnet => $"--allow-conflicting-subnets {subnet}"))}   # let the cluster win
            """);
    }

    public static ErrorInfo VirtualSubnet(Prefix chosen, string other) => new(
        ErrorCategory.Conflict,
        "virtual-subnet-conflict",
        $"virtual subnet {chosen} overlaps with \"{other}\"",
        $"it was chosen by option {ClientSettingKeys.VirtualSubnet}, so it is not moved; nothing was changed",
        $"sudo fairlead options unset {ClientSettingKeys.VirtualSubnet}   # or set another one");

    public static ErrorInfo Exhausted(Prefix pool, Prefix subnet) => new(
        ErrorCategory.Conflict,
        "virtual-subnet-exhausted",
        $"virtual subnet {pool} has no room left for {subnet}",
        "what is free of it has other routes of this host or stands for other subnets; nothing was changed",
        $"sudo fairlead options set {ClientSettingKeys.VirtualSubnet} 246.0.0.0/8   # or another network that is not in use here");
}
