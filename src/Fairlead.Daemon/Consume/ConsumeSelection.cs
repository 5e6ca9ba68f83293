using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Names;

namespace Fairlead.Daemon.Consume;

/// <summary>What the plan needs to know of a space.</summary>
/// <param name="Key">Unique on this laptop.</param>
/// <param name="InUse">Owns the plain names.</param>
/// <param name="Services">The catalog; null while the gateway hasn't told it yet.</param>
internal sealed record PlanSpace(
    string Key,
    string Name,
    bool InUse,
    string ClusterDomain,
    string? PrimaryNamespace,
    RuleSet Rules,
    IReadOnlyCollection<ServiceRecord>? Services);

/// <summary>One address to be: a consumed service, or one endpoint of a consumed headless service.</summary>
/// <param name="Names">The shortest first; may be empty when others own them all.</param>
/// <param name="Wanted">With those that others own; made by <paramref name="Naming"/>.</param>
internal sealed record SelectedHost(
    AddressKey Key, ServiceRecord Service, PortSelection Ports, IReadOnlyList<string> Names, IReadOnlyList<string> Wanted, ServiceNames Naming);

/// <summary>What the rules of every space select from its catalog, and under which names. Pure.</summary>
/// <param name="Names">Every name of every host.</param>
/// <param name="Warnings">By space.</param>
internal sealed record ConsumeSelection(
    IReadOnlyList<SelectedHost> Hosts, IReadOnlySet<string> Names, IReadOnlyDictionary<string, IReadOnlyList<string>> Warnings)
{
    public static readonly ConsumeSelection Nothing = new([], new HashSet<string>(), new Dictionary<string, IReadOnlyList<string>>());

    /// <summary>More of one kind would bury the others.</summary>
    private const int MaxWarnings = 20;

    /// <param name="previous">Its names are taken over where they are the same: with thousands of services most are, and strings cost.</param>
    public static ConsumeSelection Create(IEnumerable<PlanSpace> spaces, ConsumeSelection previous)
    {
        var hosts = new List<SelectedHost>(previous.Hosts.Count);
        var warnings = new Dictionary<string, IReadOnlyList<string>>();
        var claimed = new HashSet<string>(previous.Names.Count);
        var known = previous.Hosts.ToDictionary(host => host.Key);
        foreach (var space in spaces.OrderByDescending(space => space.InUse).ThenBy(space => space.Key, StringComparer.Ordinal))
        {
            var found = new List<string>();
            Select(space, hosts, known, claimed, found);
            warnings[space.Key] = found;
        }

        return new ConsumeSelection(hosts, claimed, warnings);
    }

    /// <summary>At most <see cref="MaxWarnings"/>, the last one saying how many more there are.</summary>
    internal static IEnumerable<string> Bounded(IReadOnlyList<string> warnings) => warnings.Count <= MaxWarnings
        ? warnings
        : warnings.Take(MaxWarnings).Append($"… and {warnings.Count - MaxWarnings} more of this kind");

    private static void Select(PlanSpace space, List<SelectedHost> hosts, Dictionary<AddressKey, SelectedHost> known, HashSet<string> claimed, List<string> warnings)
    {
        if (space.Services is null)
        {
            return;
        }

        var naming = new ServiceNames(space.ClusterDomain, space.PrimaryNamespace, space.InUse ? null : space.Name);
        var shadowing = new SortedSet<string>(StringComparer.Ordinal);
        var withheld = new List<string>();
        foreach (var service in space.Services.OrderBy(service => service.Namespace, StringComparer.Ordinal).ThenBy(service => service.Name, StringComparer.Ordinal))
        {
            if (space.Rules.Select(service) is not { } ports)
            {
                continue;
            }

            if (!ServiceNames.AreValid(service))
            {
                warnings.Add("The gateway tells of a service whose name can't be a DNS name; it is left out.");
                continue;
            }

            foreach (var host in service.Endpoints.Select(endpoint => $"{endpoint}.{service.Name}").Prepend(service.Name))
            {
                var key = new AddressKey(space.Key, service.Namespace, host);
                var wanted = known.TryGetValue(key, out var before) && before.Naming == naming ? before.Wanted : naming.Of(service.Namespace, host);
                var names = wanted;
                foreach (var name in wanted)
                {
                    if (name == "localhost" || !ServiceNames.IsDomain(name) || !claimed.Add(name))
                    {
                        names = [.. names.Where(other => other != name)];
                        withheld.Add($"The name '{name}' of {service.Namespace}/{service.Name} is not published: {(name == "localhost" ? "it is this machine's own" : "another service has it, or it is too long")}.");
                        continue;
                    }

                    if (PublicDomains.Shadow(name))
                    {
                        shadowing.Add(name[(name.IndexOf('.') + 1)..]);
                    }
                }

                hosts.Add(new SelectedHost(key, service, ports, names, wanted, naming));
            }
        }

        warnings.AddRange(Bounded(withheld));
        warnings.AddRange(Bounded([.. shadowing.Select(domain =>
            $"Names that end in '.{domain}' also exist on the public Internet: while these services are consumed, their short names lead into the cluster. The names with '.svc' are never ambiguous.")]));
        warnings.AddRange(Bounded([.. IdleRules(space)]));
    }

    private static IEnumerable<string> IdleRules(PlanSpace space) => space.Rules.Rules
        .Where(rule => !space.Services!.Any(service => rule.MatchesService(service.Namespace, service.Name)
            && (rule.Port is not { } port || service.Ports.Count == 0 || service.Ports.Any(p => p.Port == port))))
        .Select(rule => $"The rule '{rule.Text}' matches no service that you may reach (see 'fairlead services list').");
}
