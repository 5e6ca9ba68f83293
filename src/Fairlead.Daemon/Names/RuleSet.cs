using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Daemon.Names;

/// <summary>Ordered rules; for each port of each service the last rule that matches decides, and nothing is consumed without one.</summary>
internal sealed class RuleSet
{
    public static readonly RuleSet Empty = new([]);

    /// <summary>Far more than people write; every one is matched against every service.</summary>
    internal const int MaxRules = 1000;

    private readonly ConsumeRule[] rules;

    private RuleSet(ConsumeRule[] rules) => this.rules = rules;

    public IReadOnlyList<ConsumeRule> Rules => rules;

    public IReadOnlyList<string> Texts => Array.ConvertAll(rules, rule => rule.Text);

    /// <exception cref="FairleadException">A rule makes no sense, or there are too many.</exception>
    public static RuleSet Parse(IEnumerable<string> texts)
    {
        var parsed = texts.Select(ConsumeRule.Parse).ToArray();
        return parsed.Length <= MaxRules
            ? new RuleSet(parsed)
            : throw new FairleadException(ErrorCategory.Usage, "rules-too-many", $"{parsed.Length} rules are more than the {MaxRules} that are kept", hint: "Use globs, such as 'shop/*'.");
    }

    /// <summary>The set after a request. A rule that is added again moves to the end, since the last match wins.</summary>
    /// <exception cref="FairleadException">A rule makes no sense, or one to remove isn't there.</exception>
    public RuleSet Change(IReadOnlyList<string>? add, IReadOnlyList<string>? remove, IReadOnlyList<string>? replace)
    {
        var texts = replace is null ? [.. Texts] : new List<string>(replace.Distinct());
        foreach (var rule in remove ?? [])
        {
            if (!texts.Remove(rule))
            {
                throw new FairleadException(ErrorCategory.Usage, "rule-unknown", $"There is no rule '{rule}'",
                    texts.Count == 0 ? "there are no rules" : $"the rules are {string.Join(' ', texts.Take(10))}{(texts.Count > 10 ? " …" : "")}", "See 'fairlead consume list'.");
            }
        }

        foreach (var rule in add ?? [])
        {
            texts.Remove(rule);
            texts.Add(rule);
        }

        return Parse(texts);
    }

    /// <summary>What is consumed of a service; null when nothing is.</summary>
    public PortSelection? Select(ServiceRecord service)
    {
        var everyPort = false;
        HashSet<int>? exceptions = null;
        foreach (var rule in rules)
        {
            if (!rule.MatchesService(service.Namespace, service.Name))
            {
                continue;
            }

            if (rule.Port is not { } port)
            {
                everyPort = !rule.Excludes;
                exceptions = null;
            }
            else if (rule.Excludes == everyPort)
            {
                (exceptions ??= []).Add(port);
            }
            else
            {
                exceptions?.Remove(port);
            }
        }

        return everyPort || exceptions is { Count: > 0 } ? PortSelection.Create(service, everyPort, exceptions) : null;
    }
}

/// <summary>The ports of one service that are consumed.</summary>
/// <param name="Ports">The service's own ports that are; empty also where the service names none.</param>
/// <param name="Any">The service names no ports (an ExternalName) and every port is, except <paramref name="Except"/>.</param>
internal sealed record PortSelection(IReadOnlyList<ServicePort> Ports, bool Any, IReadOnlySet<int> Except)
{
    private static readonly HashSet<int> None = [];

    /// <summary>Ports to consume of a service that names none are taken from the rules, as TCP and UDP.</summary>
    internal static PortSelection? Create(ServiceRecord service, bool everyPort, HashSet<int>? exceptions)
    {
        if (service.Ports.Count == 0 && service.Kind != ServiceKind.ClusterIP)
        {
            return everyPort
                ? new PortSelection([], true, exceptions ?? None)
                : new PortSelection([.. exceptions!.Order().SelectMany(Both)], false, None);
        }

        IReadOnlyList<ServicePort> ports = exceptions is null ? service.Ports : [.. service.Ports.Where(port => exceptions.Contains(port.Port) != everyPort)];
        return ports.Count > 0 || everyPort && service.Ports.Count == 0 ? new PortSelection(ports, false, None) : null;
    }

    private static IEnumerable<ServicePort> Both(int port) => [new("", port, TransportProtocol.Tcp), new("", port, TransportProtocol.Udp)];
}
