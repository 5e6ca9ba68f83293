using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;

namespace Fairlead.Cli.Rendering;

/// <summary>How services are shown to people.</summary>
internal static class ConsumeView
{
    public static void Write(Output output, ConsumeState state)
    {
        if (state.Rules.Count == 0)
        {
            output.Line($"Nothing of space {state.Space} is consumed. next: fairlead consume NAMESPACE/*");
        }
        else
        {
            WriteServices(output, state);
        }

        foreach (var warning in state.Warnings)
        {
            output.Warn(warning);
        }
    }

    /// <summary>As <see cref="Write"/>, and the rules in their order.</summary>
    public static void WriteWithRules(Output output, ConsumeState state)
    {
        if (state.Rules.Count > 0)
        {
            output.Line("Rules (the last match wins): " + string.Join("  ", state.Rules));
            output.Line("");
        }

        Write(output, state);
    }

    public static void Write(Output output, ServiceList list)
    {
        var table = new Table("NAMESPACE", "SERVICE", "KIND", "PORTS", "CONSUMED");
        foreach (var (service, consumed) in list.Services.Select(s => (s.Service, s.Consumed)))
        {
            table.Add(service.Namespace, service.Name, service.Kind.ToString(), Ports(service.Ports), consumed ? new Cell("yes", Style.Good) : "no");
        }

        if (table.Count == 0)
        {
            output.Line($"No service of space {list.Space} is granted to you. Ask an admin of it for a grant; 'fairlead space show' says who you are there.");
            return;
        }

        output.Show(table);
    }

    /// <summary><c>frontend.shop</c> with the longer names that merely continue it in brackets: <c>frontend.shop (.svc .svc.cluster.local)</c>.</summary>
    public static string Names(IReadOnlyList<string> names)
    {
        var groups = Group(names);
        return string.Join(", ", groups.Select(g => g.Suffixes.Count == 0 ? g.Stem : $"{g.Stem} ({string.Join(' ', g.Suffixes)})"));
    }

    private static List<(string Stem, List<string> Suffixes)> Group(IReadOnlyList<string> names)
    {
        var groups = new List<(string Stem, List<string> Suffixes)>();
        foreach (var name in names)
        {
            // A bare name is a stem to none: 'db' would swallow 'db.shop'.
            var group = groups.Find(g => g.Stem.Contains('.') && name.StartsWith(g.Stem + ".", StringComparison.Ordinal));
            if (group.Suffixes is null)
            {
                groups.Add((name, []));
            }
            else
            {
                group.Suffixes.Add(name[group.Stem.Length..]);
            }
        }

        return groups;
    }

    public static string Ports(IReadOnlyList<ServicePort> ports) =>
        ports.Count == 0 ? "any" : string.Join(", ", ports.Select(p => $"{p.Port}{(p.Protocol == TransportProtocol.Udp ? "/udp" : "")}"));

    /// <summary>What may follow every name of every service, so that it needn't be said in each row; empty when they differ.</summary>
    private static List<string> CommonSuffixes(IReadOnlyList<ConsumedService> services)
    {
        var all = services.SelectMany(s => Group(s.Names)).Where(g => g.Stem.Contains('.')).Select(g => g.Suffixes).ToArray();
        return all.Length > 0 && all.All(suffixes => suffixes.SequenceEqual(all[0])) ? all[0] : [];
    }

    private static void WriteServices(Output output, ConsumeState state)
    {
        if (state.Services.Count == 0)
        {
            output.Line($"No service of space {state.Space} matches: {string.Join("  ", state.Rules)}");
            return;
        }

        var common = CommonSuffixes(state.Services);
        var table = new Table("SERVICE", "ADDRESS", "PORTS", "NAMES");
        foreach (var service in state.Services)
        {
            table.Add(
                new Cell($"{service.Namespace}/{service.Name}", service.Problem is null ? Style.Plain : Style.Bad),
                service.Address,
                Ports(service.Ports),
                common.Count == 0 ? Names(service.Names) : string.Join(", ", Group(service.Names).Select(g => g.Stem)));
        }

        output.Show(table);
        if (common.Count > 0)
        {
            output.Note($"Names with a dot are known with {string.Join(" and ", common)} behind them, too.");
        }

        foreach (var service in state.Services.Where(s => s.Problem is not null))
        {
            output.Warn($"{service.Namespace}/{service.Name}: {service.Problem}");
        }
    }
}
