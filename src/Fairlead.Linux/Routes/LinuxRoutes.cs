using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using Fairlead.Linux.Native;
using Fairlead.Linux.Netlink;
using Fairlead.Platform;
using Fairlead.Platform.Journal;
using Fairlead.Platform.Routes;

namespace Fairlead.Linux.Routes;

/// <summary>Routing by rtnetlink(7). What is ours is known by its table together with a protocol number that no known routing program has.</summary>
internal sealed class LinuxRoutes : IHostRoutes
{
    /// <summary>Of <see cref="HostChange"/>; the subject is the number of our table.</summary>
    public const string JournalKind = "routes";

    /// <summary>rtm_protocol of our routes and rules; /etc/iproute2/rt_protos names none of this number.</summary>
    internal const byte Protocol = 250;

    private const uint FirstTable = 64030;
    private const uint LastTable = FirstTable + 15;

    private const ushort Create = 0x400;
    private const ushort Replace = 0x100;
    private const ushort Exclusive = 0x200;
    private const byte LinkScope = 253;
    private const byte Unicast = 1;
    private const byte Throw = 9;

    private readonly NetlinkSocket socket;
    private readonly RouteWatch watch;
    private readonly IHostJournal journal;
    private readonly SemaphoreSlim gate = new(1, 1);
    private readonly ConcurrentDictionary<int, string> names;
    private uint? table;
    private HostChange? change;
    private bool disposed;

    private LinuxRoutes(NetlinkSocket socket, RouteWatch watch, ConcurrentDictionary<int, string> names, IHostJournal journal) =>
        (this.socket, this.watch, this.names, this.journal) = (socket, watch, names, journal);

    /// <exception cref="HostException">The kernel refused.</exception>
    public static LinuxRoutes Open(IHostJournal journal)
    {
        using var made = new DisposeStack();
        var socket = made.Push(NetlinkSocket.Open());
        var names = new ConcurrentDictionary<int, string>();
        var routes = new LinuxRoutes(socket, RouteWatch.Open(socket.Port, index => names.GetValueOrDefault(index)), names, journal);
        made.Keep();
        return routes;
    }

    /// <summary>Removes what a killed process left in this table. Idempotent.</summary>
    /// <exception cref="HostException">The kernel refused, or the subject is none of ours.</exception>
    public static void Undo(string subject)
    {
        if (!uint.TryParse(subject, NumberStyles.None, CultureInfo.InvariantCulture, out var table) || table is < FirstTable or > LastTable)
        {
            throw new HostException($"The journal names table '{subject}', which is none of ours.");
        }

        using var socket = NetlinkSocket.Open();
        Change(socket, table, ReadOwn(socket, table).StepsTo(OwnRouting.Of(RouteSet.Empty)));
    }

    public Task<HostNetwork> ReadAsync(CancellationToken cancellationToken) => LockedAsync(Read, cancellationToken);

    public IAsyncEnumerable<HostNetworkChange> WatchAsync(CancellationToken cancellationToken) => watch.RunAsync(cancellationToken);

    public Task<IReadOnlyList<string>> ApplyAsync(RouteSet next, CancellationToken cancellationToken) => LockedAsync(() => Apply(next), cancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (disposed)
        {
            return;
        }

        try
        {
            await ApplyAsync(RouteSet.Empty, CancellationToken.None);
        }
        finally
        {
            disposed = true;
            await gate.WaitAsync();
            watch.Dispose();
            socket.Dispose();
            gate.Dispose();
        }
    }

    /// <summary>Never on a thread of the pool's that others wait for: the kernel may hold its lock for a while.</summary>
    private async Task<T> LockedAsync<T>(Func<T> action, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        await gate.WaitAsync(cancellationToken);
        try
        {
            return await Task.Run(action, CancellationToken.None);
        }
        finally
        {
            gate.Release();
        }
    }

    private HostNetwork Read()
    {
        var links = new List<HostLink>();
        Require(socket.List(RouteMessages.GetLink, (type, flags) => new NetlinkWriter(type, flags, new byte[16]), links.Clear, message => Add(links, RouteMessages.ReadLink(message.Body))));
        foreach (var link in links)
        {
            names[link.Index] = link.Name;
        }

        var addresses = new List<HostAddress>();
        Require(socket.List(RouteMessages.GetAddress, (type, flags) => new NetlinkWriter(type, flags, new byte[8]), addresses.Clear, message => Add(addresses, RouteMessages.ReadAddress(message.Body))));
        var (routes, rules) = (new List<HostRoute>(), new List<HostRule>());
        foreach (var family in Families)
        {
            routes.AddRange(ReadRoutes(socket, family, 0).Where(route => !IsOurs(route.Route.Table, route.Protocol)).Select(route => route.Route));
            rules.AddRange(ReadRules(socket, family).Where(rule => !IsOurs(rule.Rule.Table, rule.Protocol)).Select(rule => rule.Rule));
        }

        return new HostNetwork(routes, rules, links, addresses);
    }

    private IReadOnlyList<string> Apply(RouteSet next)
    {
        if (table is null && next.Prefixes.Count == 0)
        {
            return [];
        }

        table ??= FindTable();
        var steps = ReadOwn(socket, table.Value).StepsTo(OwnRouting.Of(next));
        if (next.Prefixes.Count > 0)
        {
            change ??= journal.Record(JournalKind, table.Value.ToString(CultureInfo.InvariantCulture));
        }

        Change(socket, table.Value, steps);
        if (next.Prefixes.Count == 0 && change is not null)
        {
            journal.MarkUndone(change);
            change = null;
        }

        return [.. steps.Select(step => step.ToString())];
    }

    /// <summary>The first table that nobody else uses.</summary>
    private uint FindTable()
    {
        var foreign = new HashSet<uint>();
        foreach (var family in Families)
        {
            foreach (var rule in ReadRules(socket, family).Where(rule => rule.Protocol != Protocol))
            {
                foreign.Add(rule.Rule.Table);
            }

            for (var candidate = FirstTable; candidate <= LastTable; candidate++)
            {
                if (ReadRoutes(socket, family, candidate).Exists(route => route.Protocol != Protocol))
                {
                    foreign.Add(candidate);
                }
            }
        }

        for (var candidate = FirstTable; candidate <= LastTable; candidate++)
        {
            if (!foreign.Contains(candidate))
            {
                return candidate;
            }
        }

        throw new HostException($"The routing tables {FirstTable} to {LastTable} are all in use by other programs.");
    }

    /// <summary>Takes the steps in their order; after a failure those taken are taken back.</summary>
    private static void Change(NetlinkSocket socket, uint table, IReadOnlyList<RoutingStep> steps)
    {
        for (var i = 0; i < steps.Count; i++)
        {
            if (Take(socket, table, steps[i]) is var errno && errno != 0)
            {
                var failure = Errno.Failure($"the kernel refused: {steps[i]}", errno);
                for (var back = i - 1; back >= 0; back--)
                {
                    // What can't be taken back either is found and mended by the next one, and is in the journal.
                    _ = Take(socket, table, steps[back].Reverse);
                }

                throw failure;
            }
        }
    }

    /// <returns>errno(3); what is already as it should be is a success.</returns>
    private static int Take(NetlinkSocket socket, uint table, RoutingStep step)
    {
        var comes = step.After is not null;
        var errno = (step.Rule, comes) switch
        {
            ({ } rule, true) => socket.Change(RouteMessages.NewRule, Create | Exclusive, (type, flags) => RuleMessage(type, flags, table, rule)),
            ({ } rule, false) => socket.Change(RouteMessages.DeleteRule, 0, (type, flags) => RuleMessage(type, flags, table, rule)),
            (null, true) => socket.Change(RouteMessages.NewRoute, Create | Replace, (type, flags) => RouteMessage(type, flags, table, step.Route, step.After!.Value)),
            (null, false) => socket.Change(RouteMessages.DeleteRoute, 0, (type, flags) => RouteMessage(type, flags, table, step.Route, step.Before!.Value)),
        };
        return comes ? (errno == Errno.Exists ? 0 : errno) : errno is Errno.NoEntry or Errno.NoProcess or Errno.NoDevice ? 0 : errno;
    }

    private static NetlinkWriter RouteMessage(ushort type, ushort flags, uint table, IPNetwork route, int device)
    {
        Span<byte> header = stackalloc byte[RouteMessages.RouteHeader];
        header.Clear();
        header[0] = OwnRouting.IsIPv6(route) ? RouteMessages.IPv6 : RouteMessages.IPv4;
        header[1] = (byte)route.PrefixLength;
        header[5] = Protocol;
        header[6] = device == 0 || OwnRouting.IsIPv6(route) ? (byte)0 : LinkScope;
        header[7] = device == 0 ? Throw : Unicast;
        var message = new NetlinkWriter(type, flags, header).Add(RouteMessages.RouteDestination, route.BaseAddress.GetAddressBytes()).Add(RouteMessages.RouteTable, table);
        return device == 0 ? message : message.Add(RouteMessages.RouteDevice, (uint)device);
    }

    private static NetlinkWriter RuleMessage(ushort type, ushort flags, uint table, OwnRule rule)
    {
        Span<byte> header = stackalloc byte[RouteMessages.RuleHeader];
        header.Clear();
        header[0] = OwnRouting.IsIPv6(rule.Destination) ? RouteMessages.IPv6 : RouteMessages.IPv4;
        header[1] = (byte)rule.Destination.PrefixLength;
        header[7] = RouteMessages.ToTable;
        return new NetlinkWriter(type, flags, header)
            .Add(RouteMessages.RuleDestination, rule.Destination.BaseAddress.GetAddressBytes())
            .Add(RouteMessages.RulePriority, rule.Priority)
            .Add(RouteMessages.RuleTable, table)
            .Add(RouteMessages.RuleProtocol, [Protocol]);
    }

    private static OwnRouting ReadOwn(NetlinkSocket socket, uint table)
    {
        var (routes, rules) = (new Dictionary<IPNetwork, int>(), new HashSet<OwnRule>());
        foreach (var family in Families)
        {
            foreach (var route in ReadRoutes(socket, family, table).Where(route => route.Protocol == Protocol))
            {
                routes[route.Route.Destination] = route.Route.Type == HostRouteType.Throw ? 0 : route.Route.Device;
            }

            rules.UnionWith(ReadRules(socket, family).Where(rule => rule.Rule.Table == table && rule is { Protocol: Protocol, Rule.Destination: not null }).Select(rule => new OwnRule(rule.Rule.Destination!.Value, rule.Rule.Priority)));
        }

        return new OwnRouting(routes, rules);
    }

    /// <param name="wanted">0: every table.</param>
    private static List<RouteMessages.ReadRoute> ReadRoutes(NetlinkSocket socket, byte family, uint wanted)
    {
        var routes = new List<RouteMessages.ReadRoute>();
        var errno = socket.List(
            RouteMessages.GetRoute,
            (type, flags) => Header(type, flags, family, RouteMessages.RouteHeader) is var message && wanted == 0 ? message : message.Add(RouteMessages.RouteTable, wanted),
            routes.Clear,
            message =>
            {
                if (message.Type == RouteMessages.NewRoute)
                {
                    RouteMessages.ReadRoutes(message.Body, routes);
                }
            });

        // A table in which nothing ever was; a host without IPv6.
        if (errno is not (Errno.NoEntry or Errno.NotSupported))
        {
            Require(errno);
        }

        routes.RemoveAll(route => wanted != 0 && route.Route.Table != wanted);
        return routes;
    }

    private static List<RouteMessages.ReadRule> ReadRules(NetlinkSocket socket, byte family)
    {
        var rules = new List<RouteMessages.ReadRule>();
        var errno = socket.List(
            RouteMessages.GetRule, (type, flags) => Header(type, flags, family, RouteMessages.RuleHeader), rules.Clear, message => Add(rules, RouteMessages.ReadRuleOf(message.Body)));
        if (errno != Errno.NotSupported && errno != Errno.NoFamily)
        {
            Require(errno);
        }

        return rules;
    }

    private static NetlinkWriter Header(ushort type, ushort flags, byte family, int length)
    {
        var header = new byte[length];
        header[0] = family;
        return new NetlinkWriter(type, flags, header);
    }

    private static bool IsOurs(uint where, byte protocol) => protocol == Protocol && where is >= FirstTable and <= LastTable;

    private static void Add<T>(List<T> list, T? item)
        where T : class
    {
        if (item is not null)
        {
            list.Add(item);
        }
    }

    private static void Add<T>(List<T> list, T? item)
        where T : struct
    {
        if (item is { } value)
        {
            list.Add(value);
        }
    }

    private static void Require(int errno)
    {
        if (errno != 0)
        {
            throw Errno.Failure("the kernel does not tell its routes", errno);
        }
    }

    private static readonly byte[] Families = [RouteMessages.IPv4, RouteMessages.IPv6];
}
