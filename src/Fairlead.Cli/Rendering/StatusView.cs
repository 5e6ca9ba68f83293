using Fairlead.Cli.Verbs;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;

namespace Fairlead.Cli.Rendering;

/// <summary>How daemon and spaces are shown to people.</summary>
internal static class StatusView
{
    public static void Write(Output output, DaemonStatus status, DateTimeOffset now)
    {
        output.Line($"Daemon     {output.Palette.Paint(new Cell("running", Style.Good))}, pid {status.Pid}, for {Humane.Age(now - status.Started)}, version {status.Version}");
        if (status.Version != DiagnosticVerbs.ProductVersion)
        {
            output.Warn($"the daemon is of version {status.Version}, this is version {DiagnosticVerbs.ProductVersion}; next: sudo fairlead restart");
        }

        output.Line($"Capture    {status.Capture.Method}{(status.Capture.Reason is { } reason ? $" ({reason})" : "")}");
        output.Line($"Resolver   {status.Resolver}");
        if (status.Connect is { } connect)
        {
            output.Line($"Connect    {ConnectView.Summary(connect)}");
            if (connect.Problem is { } problem)
            {
                output.Warn(problem.Why is null ? problem.Message : $"{problem.Message}: {problem.Why}");
            }
        }

        if (status.Spaces.Count == 0)
        {
            output.Line("Spaces     none joined; next: fairlead join TOKEN");
            return;
        }

        output.Line("");
        WriteSpaces(output, status.Spaces);
        WriteSettings(output, status.Spaces);
        WriteProblems(output, status.Spaces);
    }

    public static void WriteSpaces(Output output, IReadOnlyList<SpaceStatus> spaces)
    {
        var table = new Table("", "SPACE", "SUBJECT", "LINK", "CARRIER", "RTT", "CONSUMED", "FLOWS");
        foreach (var space in spaces)
        {
            table.Add(
                space.InUse ? "*" : "",
                space.Name,
                space.Subject,
                Link(space.Link),
                space.Carrier ?? "-",
                space.RoundTripMilliseconds is { } rtt ? $"{rtt:F1} ms" : "-",
                $"{space.Consumed} of {space.Services}",
                $"{space.OpenFlows}");
        }

        output.Show(table);
    }

    public static void WriteSpace(Output output, SpaceStatus space, DateTimeOffset now)
    {
        output.Line($"Space                {space.Name}{(space.InUse ? " (in use)" : "")}");
        output.Line($"Uid                  {space.Uid}");
        output.Line($"Subject              {space.Subject}");
        output.Line($"Link                 {output.Palette.Paint(Link(space.Link))}, for {Humane.Age(now - space.Since)}");
        output.Line($"Gateway              {space.Gateway ?? "-"}{(space.GatewayVersion is { } version ? $", version {version}" : "")}");
        output.Line($"Carrier              {space.Carrier ?? "-"}{(space.RoundTripMilliseconds is { } rtt ? $", round trip {rtt:F1} ms" : "")}");
        output.Line($"Ways                 {Ways(space)}");
        output.Line($"Replicas             {(space.Replicas is { Count: > 0 } replicas ? string.Join(", ", replicas) : "-")}");
        output.Line($"Certificate expires  in {Humane.Age(space.CertificateExpires - now)} ({space.CertificateExpires:u}), renewed by itself before");
        output.Line($"Primary namespace    {space.PrimaryNamespace ?? "-"}");
        WriteRights(output, space);
        output.Line($"Services             {space.Services} granted, {space.Consumed} consumed");
        output.Line($"Flows                {space.OpenFlows} open, {Humane.Bytes(space.BytesSent)} sent, {Humane.Bytes(space.BytesReceived)} received");
        WriteSettings(output, [space]);
        WriteProblems(output, [space]);
    }

    /// <summary>By verb: <c>shop</c> is everything in that namespace, <c>shop/frontend</c> one service or workload; either may hold wildcards.</summary>
    private static void WriteRights(Output output, SpaceStatus space)
    {
        if (space.Rights is not { } rights)
        {
            return;
        }

        var verbs = rights.SelectMany(rule => (rule.Verbs ?? [GrantVerbs.Consume]).Select(verb => (Verb: verb, Rule: rule))).GroupBy(r => r.Verb).OrderBy(g => g.Key != GrantVerbs.Consume).ToList();
        foreach (var verb in verbs)
        {
            output.Line($"May {verb.Key}".PadRight(20) + " " + string.Join(", ", verb.SelectMany(r => r.Rule.Describe()).Distinct()));
        }

        if (verbs.Count == 0)
        {
            output.Line("May                  nothing: no Grant names you, and RBAC gives you nothing (docs/identity.md)");
        }
    }

    /// <summary>What admins set for every client; where it is this laptop's own option that counts, it says so.</summary>
    private static void WriteSettings(Output output, IReadOnlyList<SpaceStatus> spaces)
    {
        foreach (var space in spaces.Where(s => s.Settings is { Count: > 0 }))
        {
            output.Line("");
            output.Line($"Settings that the gateway of {space.Name} gives every client:");
            foreach (var setting in space.Settings!)
            {
                output.Line(new Cell($"  {setting.Key} = {setting.Value}{(setting.Overridden ? " (this laptop's own option counts: fairlead options list)" : "")}", setting.Overridden ? Style.Faint : Style.Plain));
            }
        }
    }

    /// <summary>Why this carrier: what came of the better ones.</summary>
    internal static string Ways(SpaceStatus space)
    {
        var ways = space.Ways ?? [];
        var tried = ways.TakeWhile(way => !way.InUse).GroupBy(way => way.Carrier)
            .Select(kind => $"{kind.Key}: {string.Join(", ", kind.Select(way => way.Problem is { } problem ? Reason(problem) : $"{way.Where} no answer yet"))}").ToList();
        if (ways.Count > 0 && ways.All(way => way.Carrier != "direct"))
        {
            tried.Insert(0, "direct: the gateway has no address outside the cluster");
        }

        if (ways.FirstOrDefault(way => way.InUse) is { } used)
        {
            tried.Add($"{used.Carrier} {(used.Carrier == "port-forward" ? "through" : "to")} {used.Where}");
        }

        return tried.Count == 0 ? "-" : string.Join("; ", tried);

        static string Reason(ErrorInfo problem) => problem.Why is null ? problem.Message : $"{problem.Message} ({problem.Why})";
    }

    public static void WriteProblems(Output output, IReadOnlyList<SpaceStatus> spaces)
    {
        foreach (var space in spaces)
        {
            if (space.Problem is { } problem)
            {
                output.Line("");
                output.Line(new Cell($"{space.Name}: {problem.Message}", Style.Bad));
                if (problem.Why is { } why)
                {
                    output.Line($"  why:  {why}");
                }

                if (problem.Hint is { } hint)
                {
                    output.Line($"  next: {hint}");
                }
            }

            if (space is { Link: LinkState.Connected, Carrier: not (null or "direct") })
            {
                output.Line($"{space.Name}: {Ways(space)}");
            }

            if (space.Warning is { } warning)
            {
                output.Line(new Cell($"{space.Name}: {warning}", Style.Warning));
            }
        }
    }

    private static Cell Link(LinkState state) => state switch
    {
        LinkState.Connected => new Cell("connected", Style.Good),
        LinkState.Connecting => new Cell("connecting", Style.Warning),
        LinkState.Disconnected => new Cell("disconnected", Style.Bad),
        _ => new Cell("refused", Style.Bad),
    };
}
