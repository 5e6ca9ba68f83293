using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;

namespace Fairlead.Daemon.Plan;

/// <summary>What the options say that are in force: lists are comma-separated and were judged when they were set.</summary>
/// <param name="VirtualSubnet">Null: nobody chose one.</param>
internal sealed record WishOptions(string AlsoProxy, string NeverProxy, string AllowConflicting, string? VirtualSubnet, bool AutoResolve)
{
    public static readonly WishOptions None = new("", "", "", null, true);
}

/// <summary>
/// Makes wishes out of options and what was asked for at connect. The latter wins: a <c>--also-proxy</c> takes its addresses out of what an option excludes. Of one origin, never wins over also.
/// </summary>
internal static class WishReader
{
    private const string AlsoFlag = "--also-proxy";
    private const string NeverFlag = "--never-proxy";
    private const string AllowFlag = "--allow-conflicting-subnets";
    private const string ViaFlag = "--proxy-via";
    private const string VnatFlag = "--vnat";

    /// <summary>Never the cluster's: this host itself, its links, groups; and whole families, which would leave nothing to this host.</summary>
    private static readonly (Prefix Subnet, string What)[] Impossible =
    [
        (Prefix.Parse("127.0.0.0/8"), "these addresses are this host's own"), (Prefix.Parse("::1/128"), "this address is this host's own"),
        (Prefix.Parse("169.254.0.0/16"), "these addresses are of a single link"), (Prefix.Parse("fe80::/10"), "these addresses are of a single link"),
        (Prefix.Parse("224.0.0.0/4"), "multicast can't be carried"), (Prefix.Parse("ff00::/8"), "multicast can't be carried"),
    ];

    private static readonly Prefix[] Loopback = [Prefix.Parse("127.0.0.0/8"), Prefix.Parse("::1/128")];

    /// <param name="exits">What the gateway made of each workload of <see cref="ConnectRequest.ProxyVia"/>.</param>
    /// <exception cref="FairleadException">Something makes no sense; the message names it.</exception>
    public static PlanWishes Read(WishOptions options, ConnectRequest request, ClusterSubnets cluster, IReadOnlyDictionary<string, string> exits)
    {
        var also = Subnets(request.AlsoProxy, AlsoFlag).ToList();
        var never = Subnets(request.NeverProxy, NeverFlag).ToList();
        var optionAlso = Option(options.AlsoProxy, ClientSettingKeys.AlsoProxySubnets);
        var wanted = PrefixSet.Of(also.Select(wish => wish.Subnet));
        List<WishedSubnet> excluded = [
            .. never,
            .. Option(options.NeverProxy, ClientSettingKeys.NeverProxySubnets)
                .SelectMany(wish => PrefixSet.Of(wish.Subnet).Except(wanted).Prefixes().Select(part => wish with { Subnet = part })),
        ];
        also.AddRange(optionAlso);
        foreach (var wish in also)
        {
            RequirePossible(wish.Subnet, wish.Source);
        }

        return new PlanWishes(
            also,
            excluded,
            PrefixSet.Of(Option(options.AllowConflicting, ClientSettingKeys.AllowConflictingSubnets).Concat(Subnets(request.AllowConflicting, AllowFlag)).Select(wish => wish.Subnet)),
            Virtual(request, cluster, [.. also.Select(wish => wish.Subnet)], exits),
            options.VirtualSubnet is { } pool ? Prefix.Parse(pool) : null,
            options.AutoResolve);
    }

    /// <summary>Exits first: where a subnet has one, it does not matter that it is also wished to be virtual for its own sake.</summary>
    private static List<VirtualWish> Virtual(ConnectRequest request, ClusterSubnets cluster, IReadOnlyList<Prefix> also, IReadOnlyDictionary<string, string> exits)
    {
        var wishes = new List<VirtualWish>();
        foreach (var (text, workload) in request.ProxyVia ?? [])
        {
            foreach (var subnet in Named(text, ViaFlag, cluster, also))
            {
                var via = exits[workload];
                if (wishes.Find(wish => wish.Subnet.Overlaps(subnet) && wish.Via != via) is { } other)
                {
                    throw Invalid($"{ViaFlag} {text}={workload}", $"it overlaps {other.Subnet}, which is to leave from {other.Via}", "A subnet can leave from one workload only.");
                }

                if (!Loopback.Any(loopback => loopback.Contains(subnet)))
                {
                    RequirePossible(subnet, ViaFlag);
                }

                if (!wishes.Exists(wish => wish.Subnet == subnet))
                {
                    wishes.Add(new VirtualWish(subnet, via, ViaFlag));
                }
            }
        }

        foreach (var subnet in (request.Vnat ?? []).SelectMany(text => Named(text, VnatFlag, cluster, also)))
        {
            RequirePossible(subnet, VnatFlag);
            if (!wishes.Exists(wish => wish.Subnet.Contains(subnet)))
            {
                wishes.Add(new VirtualWish(subnet, null, VnatFlag));
            }
        }

        return wishes;
    }

    /// <summary>A CIDR, or the subnets that a symbol stands for.</summary>
    private static IReadOnlyList<Prefix> Named(string text, string flag, ClusterSubnets cluster, IReadOnlyList<Prefix> also)
    {
        IReadOnlyList<Prefix>? named = text switch
        {
            "also" => also,
            "service" => cluster.Services,
            "pods" => cluster.Pods,
            "all" => [.. cluster.Services, .. cluster.Pods, .. also],
            _ => null,
        };
        return named switch
        {
            null => [Parse(text, flag)],
            [] => throw Invalid($"{flag} {text}", text == "also" ? "no subnet is also proxied" : $"the gateway tells no such subnets of the cluster", text == "also" ? $"Name one: {AlsoFlag} CIDR." : "Name the CIDR itself."),
            _ => named,
        };
    }

    private static IEnumerable<WishedSubnet> Subnets(IReadOnlyList<string>? texts, string flag) => (texts ?? []).Select(text => new WishedSubnet(Parse(text, flag), flag));

    private static IEnumerable<WishedSubnet> Option(string value, string key) => SettingText.Entries(value).Select(text => new WishedSubnet(Prefix.Parse(text), $"option {key}"));

    private static Prefix Parse(string text, string flag) => Prefix.TryParse(text, out var prefix, out var why)
        ? prefix
        : throw Invalid($"{flag} {text}", why, flag is ViaFlag or VnatFlag ? "It takes a CIDR, or one of also, service, pods, all." : "It takes a CIDR.");

    private static void RequirePossible(Prefix subnet, string source)
    {
        if (subnet.Length <= 1)
        {
            throw Invalid($"{source} {subnet}", "it is half of all addresses or more, and would leave nothing to this host", "Name the networks that are behind the cluster.");
        }

        if (Impossible.FirstOrDefault(one => one.Subnet.Overlaps(subnet)) is { What: { } what })
        {
            throw Invalid($"{source} {subnet}", what, Loopback.Any(loopback => loopback.Contains(subnet)) ? $"For addresses that only a pod can reach: {ViaFlag} {subnet}=WORKLOAD." : "Leave it out.");
        }
    }

    private static FairleadException Invalid(string what, string why, string hint) =>
        new(ErrorCategory.Usage, "subnet-invalid", $"'{what}' makes no sense", why, hint);
}
