using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Fairlead.Daemon.Plan;
using Fairlead.Platform.Routes;

namespace Fairlead.Bench.Micro;

/// <summary>The planner beside a host with many routes, some of which conflict, and a cluster whose pods have a subnet on each of 200 nodes.</summary>
internal static class PlanBench
{
    private const int Rounds = 21;
    private const int Nodes = 200;

    public static void Run(int count)
    {
        var random = new Random(1);
        var routes = Enumerable.Range(0, count).Select(_ => Prefix.Of(false, (UInt128)(uint)random.NextInt64(1L << 24, 224L << 24), random.Next(12, 33)))
            .Select(prefix => new HostRoute(prefix.Network, 254, HostRouteType.Unicast, 2, IPAddress.Parse("192.0.2.1"), 0)).ToList();
        HostRule[] rules = [new(AddressFamily.InterNetwork, 32766, HostRuleAction.Table, 254, null, 0, 0, false, null, false)];
        var host = new HostNetwork(routes, rules, [new HostLink(2, "wan0", "", true)], []);
        var cluster = new ClusterSubnets([Prefix.Parse("10.96.0.0/16")], [.. Enumerable.Range(0, Nodes).Select(node => Prefix.Parse($"10.244.{node}.0/24"))]);
        var inputs = new PlanInputs(cluster, host, 0, "fairlead0", PlanWishes.None, [new CarrierAddress(IPAddress.Parse("198.51.100.1"), "the gateway")], [], []);
        var times = new List<double>();
        ConnectPlan? plan = null;
        for (var i = 0; i < Rounds; i++)
        {
            var began = Stopwatch.GetTimestamp();
            plan = Planner.Plan(inputs);
            times.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        }

        times.Sort();
        Console.WriteLine($"{count} routes, {Nodes + 1} subnets: median {times[Rounds / 2]:0.0} ms, slowest {times[^1]:0.0} ms; {plan!.Translated.Count} subnets conflict");
    }
}
