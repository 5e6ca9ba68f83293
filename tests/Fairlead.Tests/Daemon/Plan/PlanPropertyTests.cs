using System.Net;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Plan;
using FsCheck;
using FsCheck.Fluent;

namespace Fairlead.Tests.Daemon.Plan;

public sealed class PlanPropertyTests
{
    // Close together, so that they overlap often.
    private static readonly Gen<Prefix> Subnet =
        from second in Gen.Choose(0, 15)
        from third in Gen.Choose(0, 255)
        from length in Gen.Choose(9, 28)
        select Prefix.Of(new IPAddress([10, (byte)second, (byte)third, 0]), length);

    private static readonly Gen<Prefix[]> Subnets = Gen.Choose(0, 6).SelectMany(count => Gen.ArrayOf(Subnet, count));

    private static readonly Gen<PlanInputs> Input =
        from services in Subnets
        from pods in Subnets
        from routes in Subnets
        from never in Subnets
        from allowed in Subnets
        from wish in Subnets
        from auto in ArbMap.Default.GeneratorFor<bool>()
        from carrier in Subnet
        select Laptop.Inputs(routes.Aggregate(new Laptop(), (host, route) => host.Route(route.ToString(), "tun0")).Network) with
        {
            Cluster = new ClusterSubnets(services, pods),
            Wishes = new PlanWishes([], [.. never.Select(subnet => new WishedSubnet(subnet, "--never-proxy"))], PrefixSet.Of(allowed), [.. wish.Take(1).Select(subnet => new VirtualWish(subnet, null, "--vnat"))], null, auto),
            Carriers = [new CarrierAddress(carrier.Network.BaseAddress, "the gateway")],
        };

    [Fact]
    public void Sets_of_prefixes_obey_the_algebra_of_sets() => Prop.ForAll(Subnets.ToArbitrary(), Subnets.ToArbitrary(), Subnet.ToArbitrary(), (a, b, probe) =>
    {
        var (left, right) = (PrefixSet.Of(a), PrefixSet.Of(b));
        foreach (var address in Probes([.. a, .. b, probe]))
        {
            var (inLeft, inRight) = (a.Any(p => p.Contains(address)), b.Any(p => p.Contains(address)));
            left.Covers(address).ShouldBe(inLeft);
            left.Overlaps(address).ShouldBe(inLeft);
            left.Except(right).Covers(address).ShouldBe(inLeft && !inRight);
            left.Union(right).Covers(address).ShouldBe(inLeft || inRight);
            left.Intersect(probe).Covers(address).ShouldBe(inLeft && probe.Contains(address));
        }

        PrefixSet.Of(left.Prefixes()).Prefixes().ShouldBe(left.Prefixes());
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Every_wanted_address_is_ours_or_there_is_a_reason() => Prop.ForAll(Input.ToArbitrary(), inputs =>
    {
        var plan = Planner.Plan(inputs);
        var units = WantedSubnet.All(inputs.Cluster, inputs.Wishes);
        var never = PrefixSet.Of(inputs.Wishes.Never.Select(wish => wish.Subnet).Concat(inputs.Carriers.Select(carrier => Prefix.Of(carrier.Address))));
        var direct = PrefixSet.Of(plan.Prefixes).Except(PrefixSet.Of(plan.Exceptions));
        var translated = PrefixSet.Of(plan.Translated.Select(subnet => Prefix.Of(subnet.Real)));
        var refused = PrefixSet.Of(plan.Entries.Where(entry => entry.Action == PlanAction.Refused).Select(entry => Prefix.Parse(entry.Prefix)));
        foreach (var address in Probes([.. units.Select(unit => unit.Prefix), .. never.Prefixes()]))
        {
            if (never.Covers(address))
            {
                direct.Covers(address).ShouldBeFalse("what is never proxied is not taken");
            }
            else if (units.Any(unit => unit.Prefix.Contains(address)))
            {
                (direct.Covers(address) || translated.Covers(address) || refused.Covers(address)).ShouldBeTrue();
            }
        }

        (plan.Refusal is not null).ShouldBe(!refused.IsEmpty);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Nothing_of_another_device_is_taken_unless_it_is_allowed() => Prop.ForAll(Input.ToArbitrary(), inputs =>
    {
        var plan = Planner.Plan(inputs);
        var direct = PrefixSet.Of(plan.Prefixes).Except(PrefixSet.Of(plan.Exceptions));
        foreach (var route in inputs.Host.Routes.Select(route => Prefix.Of(route.Destination)).Where(route => route.Length > 1))
        {
            foreach (var address in Probes([route]).Where(address => route.Contains(address) && direct.Covers(address)))
            {
                inputs.Wishes.Allowed.Covers(address).ShouldBeTrue($"{address} belongs to {route}");
            }
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Virtual_subnets_overlap_nothing_and_map_there_and_back() => Prop.ForAll(Input.ToArbitrary(), inputs =>
    {
        var plan = Planner.Plan(inputs);
        var locals = plan.Translated.Select(subnet => Prefix.Of(subnet.Local)).ToList();
        for (var i = 0; i < locals.Count; i++)
        {
            VirtualPool.Default.Contains(locals[i]).ShouldBeTrue();
            locals.Skip(i + 1).ShouldAllBe(other => !other.Overlaps(locals[i]));
            locals[i].Length.ShouldBe(plan.Translated[i].Real.PrefixLength);
        }

        var translation = new AddressTranslation(plan.Translated);
        foreach (var real in Probes([.. plan.Translated.Select(subnet => Prefix.Of(subnet.Real))]).Select(address => address.Network.BaseAddress))
        {
            translation.ToReal(translation.ToLocal(real)).ShouldBe(real);
        }

        // The same again: a plan with what the last one gave is the same plan.
        Planner.Plan(inputs with { Known = plan.Translated }).Translated.ShouldBe(plan.Translated, ignoreOrder: true);
    }).QuickCheckThrowOnFailure();

    /// <summary>The ends of each prefix, and their neighbours.</summary>
    private static IEnumerable<Prefix> Probes(IReadOnlyCollection<Prefix> prefixes) =>
        prefixes.SelectMany(prefix => new[] { prefix.First, prefix.Last, prefix.First - 1, prefix.Last + 1 }).Distinct().Select(address => Prefix.Of(false, address, 32));
}
