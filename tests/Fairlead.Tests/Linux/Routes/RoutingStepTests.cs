using System.Net;
using Fairlead.Linux.Routes;
using Fairlead.Platform.Routes;
using FsCheck;
using FsCheck.Fluent;

namespace Fairlead.Tests.Linux.Routes;

public sealed class RoutingStepTests
{
    private static readonly Gen<IPNetwork> Prefix =
        from number in Gen.Choose(0, 15)
        from length in Gen.Choose(12, 16)
        select new IPNetwork(new IPAddress([10, (byte)(number & (0xff << (16 - length))), 0, 0]), length);

    /// <summary>As plans make them: no prefix lies in another, and exceptions lie in prefixes.</summary>
    private static readonly Gen<OwnRouting> Routing =
        from prefixes in Gen.ArrayOf(Prefix, 5)
        from holes in Gen.ArrayOf(Gen.Choose(0, 255), 4)
        from device in Gen.Choose(1, 2)
        from priority in Gen.Choose(1, 2)
        let disjoint = prefixes.Distinct().Where(prefix => !prefixes.Any(other => other.PrefixLength < prefix.PrefixLength && other.Contains(prefix.BaseAddress))).ToArray()
        select OwnRouting.Of(new RouteSet(
            device,
            disjoint,
            [.. holes.Select(hole => new IPNetwork(new IPAddress([10, (byte)(hole >> 4), (byte)((hole & 15) << 4), 0]), 20)).Where(hole => disjoint.Any(prefix => prefix.Contains(hole.BaseAddress)))],
            (uint)priority,
            (uint)priority));

    [Fact]
    public void Every_moment_of_a_change_sends_an_address_where_it_went_or_where_it_is_to_go() => Prop.ForAll(Routing.ToArbitrary(), Routing.ToArbitrary(), (from, to) =>
    {
        var state = new Table(from);
        foreach (var step in from.StepsTo(to))
        {
            state.Take(step);
            foreach (var address in Addresses)
            {
                var way = state.Way(address);
                (way == new Table(from).Way(address) || way == new Table(to).Way(address)).ShouldBeTrue($"{address} after {step}");
            }
        }

        Addresses.ShouldAllBe(address => state.Way(address) == new Table(to).Way(address));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Steps_taken_back_lead_to_where_it_began() => Prop.ForAll(Routing.ToArbitrary(), Routing.ToArbitrary(), (from, to) =>
    {
        var state = new Table(from);
        var steps = from.StepsTo(to);
        foreach (var step in steps.Concat(steps.Reverse().Select(step => step.Reverse)))
        {
            state.Take(step);
        }

        Addresses.ShouldAllBe(address => state.Way(address) == new Table(from).Way(address));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Nothing_is_done_where_all_is_as_it_should_be() =>
        Prop.ForAll(Routing.ToArbitrary(), routing => routing.StepsTo(routing).Count == 0).QuickCheckThrowOnFailure();

    private static readonly IPAddress[] Addresses = [.. Enumerable.Range(0, 256).Select(i => new IPAddress([10, (byte)(i >> 4), (byte)((i & 15) << 4), 1]))];

    /// <summary>A kernel in small: a rule leads to the table, the longest route counts, an exception leads out again.</summary>
    private sealed class Table(OwnRouting start)
    {
        private readonly Dictionary<IPNetwork, int> routes = start.Routes.ToDictionary(route => route.Key, route => route.Value);
        private readonly HashSet<OwnRule> rules = [.. start.Rules];

        public void Take(RoutingStep step)
        {
            if (step.Rule is { } rule)
            {
                _ = step.After is null ? rules.Remove(rule).ShouldBeTrue() : rules.Add(rule).ShouldBeTrue();
            }
            else if (step.After is { } device)
            {
                routes[step.Route] = device;
            }
            else
            {
                routes.Remove(step.Route).ShouldBeTrue();
            }
        }

        public int Way(IPAddress address) => rules.Any(rule => rule.Destination.Contains(address))
            ? routes.Where(route => route.Key.Contains(address)).OrderByDescending(route => route.Key.PrefixLength).Select(route => route.Value).FirstOrDefault()
            : 0;
    }
}

file static class Assertions
{
    public static bool ShouldBeTrue(this bool value)
    {
        ShouldBeBooleanExtensions.ShouldBeTrue(value);
        return value;
    }
}
