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
internal sealed record SelectedHost(AddressKey Key, ServiceRecord Service, PortSelection Ports, IReadOnlyList<string> Names);

/// <summary>What the rules of every space select from its catalog, and under which names. Pure.</summary>
/// <param name="Warnings">By space.</param>
internal sealed record ConsumeSelection(IReadOnlyList<SelectedHost> Hosts, IReadOnlyDictionary<string, IReadOnlyList<string>> Warnings)
{
    /// <summary>More of one kind would bury the others.</summary>
    private const int MaxWarnings = 20;

    public static ConsumeSelection Create(IEnumerable<PlanSpace> spaces)
    {
        var hosts = new List<SelectedHost>();
        var warnings = new Dictionary<string, IReadOnlyList<string>>();
        var claimed = new HashSet<string>();
        foreach (var space in spaces.OrderByDescending(space => space.InUse).ThenBy(space => space.Key, StringComparer.Ordinal))
        {
            var found = new List<string>();
            Select(space, hosts, claimed, found);
            warnings[space.Key] = found;
        }

        return new ConsumeSelection(hosts, warnings);
    }

    /// <summary>At most <see cref="MaxWarnings"/>, the last one saying how many more there are.</summary>
    internal static IEnumerable<string> Bounded(IReadOnlyList<string> warnings) => warnings.Count <= MaxWarnings
        ? warnings
        : warnings.Take(MaxWarnings).Append($"… and {warnings.Count - MaxWarnings} more of this kind");

    private static void Select(PlanSpace space, List<SelectedHost> hosts, HashSet<string> claimed, List<string> warnings)
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
                var names = new List<string>(4);
                foreach (var name in naming.Of(service.Namespace, host).OrderBy(name => name.Length))
                {
                    if (name == "localhost" || !ServiceNames.IsDomain(name) || !claimed.Add(name))
                    {
                        withheld.Add($"The name '{name}' of {service.Namespace}/{service.Name} is not published: {(name == "localhost" ? "it is this machine's own" : "another service has it, or it is too long")}.");
                        continue;
                    }

                    names.Add(name);
                    if (PublicDomains.Shadow(name))
                    {
                        shadowing.Add(name[(name.IndexOf('.') + 1)..]);
                    }
                }

                hosts.Add(new SelectedHost(new AddressKey(space.Key, service.Namespace, host), service, ports, names));
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
