using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;

namespace Fairlead.Daemon.Plan;

/// <summary>
/// Decides what becomes of every subnet beside the routes that this host has. Pure: nothing is looked up, nothing is changed. For each wanted subnet that
/// conflicts the first of these that applies: allowed (as a whole or in part), wished to be virtual, virtual by itself, refused.
/// </summary>
internal static class Planner
{
    public static ConnectPlan Plan(PlanInputs inputs) => new Run(inputs).Plan();

    private sealed class Run
    {
        private readonly PlanInputs inputs;
        private readonly PlanWishes wishes;
        private readonly HostRoutingView view;
        private readonly PrefixSet never;
        private readonly List<(int Order, PlanEntry Entry)> entries = [];
        private IReadOnlyList<WantedSubnet> units = [];
        private readonly List<string> warnings = [];
        private readonly List<Prefix> direct = [];
        private readonly List<Remapped> remapped = [];
        private readonly List<(Prefix Subnet, HostConflict Conflict)> unresolved = [];
        private ErrorInfo? refusal;

        public Run(PlanInputs inputs)
        {
            this.inputs = inputs;
            wishes = inputs.Wishes;
            view = new HostRoutingView(inputs.Host, inputs.Device);
            never = PrefixSet.Of(wishes.Never.Select(wish => wish.Subnet).Concat(inputs.Carriers.Select(carrier => Prefix.Of(carrier.Address))));
        }

        public ConnectPlan Plan()
        {
            units = WantedSubnet.All(inputs.Cluster, wishes);
            var possible = units.Where(IsPossible).ToList();
            var conflicts = view.FindConflicts([.. possible.Where(unit => !unit.IsNested).Select(unit => unit.Prefix)]);
            foreach (var unit in possible)
            {
                Decide(unit, [.. conflicts[unit.Prefix].Where(conflict => Concerns(unit.Prefix, conflict))]);
            }

            // A piece of a subnet may be just what somebody wished for by itself: the wish counts.
            var (translated, tabled, table) = Remap([.. remapped.OrderBy(one => one.Unit.Wish is null).DistinctBy(one => one.Subnet)]);
            List<Prefix> prefixes = [.. direct, .. translated.Select(subnet => Prefix.Of(subnet.Local))];
            if (table is { } block)
            {
                prefixes.Add(block);
            }

            var ours = PrefixSet.Of(prefixes);
            AddNever(ours);
            return new ConnectPlan(
                [.. entries.OrderBy(one => one.Order).ThenBy(one => Prefix.Parse(one.Entry.Prefix)).Select(one => one.Entry)],
                [.. prefixes.Order()],
                [.. prefixes.SelectMany(prefix => never.Intersect(prefix).Prefixes()).Order()],
                translated,
                tabled,
                table,
                [.. wishes.Virtual.Where(wish => wish.Via is not null).OrderByDescending(wish => wish.Subnet.Length).Select(wish => (wish.Subnet, wish.Via!))],
                view.PriorityBefore(System.Net.Sockets.AddressFamily.InterNetwork, prefixes),
                view.PriorityBefore(System.Net.Sockets.AddressFamily.InterNetworkV6, prefixes),
                warnings,
                refusal ?? (unresolved.Count > 0 ? PlanRefusal.Of(unresolved) : null));
        }

        private bool IsPossible(WantedSubnet unit)
        {
            if (unit.Prefix.IsIPv6 && !inputs.Host.HasIPv6)
            {
                Tell(unit.Prefix, PlanAction.LeftOut, "-", unit, $"{unit.Origin}; this host has no IPv6", null);
                return false;
            }

            if (never.Covers(unit.Prefix))
            {
                Tell(unit.Prefix, PlanAction.Never, view.DescribeWay(unit.Prefix), unit, $"{unit.Origin}; never proxied", null);
                return false;
            }

            return true;
        }

        /// <summary>Not when everything it takes is left to the host anyway.</summary>
        private bool Concerns(Prefix subnet, HostConflict conflict) =>
            !never.Covers(subnet.Contains(conflict.Destination) ? conflict.Destination : subnet);

        private void Decide(WantedSubnet unit, IReadOnlyList<HostConflict> conflicts)
        {
            var conflict = conflicts.Count > 0 ? conflicts[0] : null;
            var allowed = wishes.Allowed.Covers(unit.Prefix);
            if (unit.Wish is { } wish && !(conflict is not null && allowed))
            {
                remapped.Add(new Remapped(unit.Prefix, unit, $"{unit.Origin}; {wish.Source}", conflict));
            }
            else if (conflict is null)
            {
                Route(unit.Prefix, unit, unit.Origin, null);
            }
            else if (allowed || !wishes.Allowed.Overlaps(unit.Prefix))
            {
                Resolve(unit.Prefix, unit, conflict);
            }
            else
            {
                // In part: what is allowed is routed, each piece of the rest is judged by itself.
                var part = wishes.Allowed.Intersect(unit.Prefix);
                foreach (var piece in part.Prefixes().Concat(PrefixSet.Of(unit.Prefix).Except(part).Prefixes()).Order())
                {
                    if (conflicts.FirstOrDefault(one => one.Destination.Overlaps(piece) && Concerns(piece, one)) is { } mine)
                    {
                        Resolve(piece, unit, mine);
                    }
                    else
                    {
                        Route(piece, unit, unit.Origin, null);
                    }
                }
            }
        }

        private void Resolve(Prefix subnet, WantedSubnet unit, HostConflict conflict)
        {
            if (wishes.Allowed.Covers(subnet))
            {
                Route(subnet, unit, $"{unit.Origin}; allowed to win over {conflict.Route}", conflict);
            }
            else if (wishes.AutoResolve)
            {
                remapped.Add(new Remapped(subnet, unit, $"{unit.Origin}; overlaps {conflict.Route}", conflict));
            }
            else
            {
                unresolved.Add((subnet, conflict));
                Tell(subnet, PlanAction.Refused, conflict.Route, unit, $"{unit.Origin}; overlaps {conflict.Route}", conflict);
            }
        }

        private void Route(Prefix subnet, WantedSubnet unit, string reason, HostConflict? conflict)
        {
            if (never.Covers(subnet))
            {
                return;
            }

            direct.Add(subnet);
            Tell(subnet, PlanAction.Routed, inputs.DeviceName, unit, reason, conflict);
        }

        /// <summary>Gives each subnet that is to be virtual its block, or a share of a table of single addresses.</summary>
        private (IReadOnlyList<TranslatedSubnet> Translated, IReadOnlyList<Prefix> Tabled, Prefix? Table) Remap(IReadOnlyList<Remapped> subnets)
        {
            if (subnets.Count == 0)
            {
                return ([], [], null);
            }

            var range = wishes.VirtualSubnet ?? VirtualPool.Default;

            // A VPN that takes all unique local addresses has hardly anything in ours, and our rules win.
            var inTheWay = view.FindConflicts([range])[range]
                .Concat(view.FindConflicts([VirtualPool.Default6])[VirtualPool.Default6].Where(conflict => VirtualPool.Default6.Contains(conflict.Destination)))
                .ToList();
            var taken = PrefixSet.Of([.. units.Select(unit => unit.Prefix), .. inTheWay.Select(conflict => conflict.Destination), .. inputs.Reserved]).Union(never);
            if (wishes.VirtualSubnet is { } chosen && (inTheWay.Find(conflict => conflict.Destination.Overlaps(chosen))?.Route ?? units.FirstOrDefault(unit => unit.Prefix.Overlaps(chosen))?.Prefix.ToString()) is { } other)
            {
                refusal = PlanRefusal.VirtualSubnet(chosen, other);
                return ([], [], null);
            }

            var pool = new VirtualPool(range, taken, inputs.Known);
            var translated = new Dictionary<Prefix, TranslatedSubnet>();
            foreach (var one in pool.Order(subnets, one => one.Subnet))
            {
                if (pool.Take(one.Subnet) is { } block)
                {
                    translated[one.Subnet] = new TranslatedSubnet(one.Subnet.Network, block.Network);
                }
            }

            var tabled = subnets.Select(one => one.Subnet).Where(subnet => !translated.ContainsKey(subnet)).ToList();
            Prefix? table = null;
            if (tabled.Count > 0 && (tabled.Exists(subnet => subnet.IsIPv6) || (table = pool.TakeTable()) is null))
            {
                refusal = PlanRefusal.Exhausted(range, tabled[0]);
            }

            foreach (var one in subnets)
            {
                var block = translated.TryGetValue(one.Subnet, out var found) ? found.Local.ToString() : table is { } addresses ? $"single addresses of {addresses}" : null;
                Tell(one.Subnet, PlanAction.Virtual, inputs.DeviceName, one.Unit, one.Reason, one.Conflict, block);
            }

            return ([.. subnets.Where(one => translated.ContainsKey(one.Subnet)).Select(one => translated[one.Subnet])], table is null ? [] : tabled, table);
        }

        /// <summary>What is wished to be left alone, and what the connection itself needs inside of what is ours.</summary>
        private void AddNever(PrefixSet ours)
        {
            foreach (var (subnet, source) in wishes.Never.Where(wish => !entries.Exists(one => one.Entry.Action == PlanAction.Never && one.Entry.Prefix == wish.Subnet.ToString())))
            {
                AddLast(new PlanEntry(subnet.ToString(), PlanAction.Never, view.DescribeWay(subnet), null, null, $"never proxied ({source})", null));
            }

            foreach (var (address, what) in inputs.Carriers.DistinctBy(carrier => carrier.Address).Select(carrier => (Prefix.Of(carrier.Address), carrier.What)))
            {
                if (ours.Covers(address))
                {
                    AddLast(new PlanEntry(address.ToString(), PlanAction.Never, view.DescribeWay(address), null, null, $"never proxied: {what}", null));
                }
            }
        }

        private void Tell(Prefix subnet, PlanAction action, string owner, WantedSubnet unit, string reason, HostConflict? conflict, string? block = null)
        {
            var via = action is PlanAction.Routed or PlanAction.Virtual ? unit.Wish?.Via : null;
            entries.Add((IndexOf(unit), new PlanEntry(subnet.ToString(), action, owner, block, via, reason, conflict?.Route)));
        }

        private void AddLast(PlanEntry entry) => entries.Add((int.MaxValue, entry));

        private int IndexOf(WantedSubnet unit)
        {
            for (var i = 0; i < units.Count; i++)
            {
                if (ReferenceEquals(units[i], unit))
                {
                    return i;
                }
            }

            return units.Count;
        }
    }

    private sealed record Remapped(Prefix Subnet, WantedSubnet Unit, string Reason, HostConflict? Conflict);
}
