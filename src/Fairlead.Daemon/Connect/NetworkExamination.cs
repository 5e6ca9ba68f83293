using System.Globalization;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Spaces;
using Fairlead.Platform;
using Fairlead.Platform.Firewall;
using Fairlead.Platform.Journal;
using Fairlead.Platform.Routes;

namespace Fairlead.Daemon.Connect;

/// <summary>What doctor says of this host's network: which VPNs are up, what would conflict, which firewall would swallow what connect sends.</summary>
internal sealed class NetworkExamination(IHost host, IHostJournal journal, ConnectService connect)
{
    /// <summary>Links of these kinds are VPNs (or tunnels of another sort) wherever they come from.</summary>
    private static readonly HashSet<string> TunnelKinds = ["tun", "wireguard", "ppp", "xfrm", "vti", "vti6", "ipip", "gre", "l2tp", "amneziawg"];

    /// <summary>Of one device; more are counted.</summary>
    private const int MaxRoutes = 6;

    /// <summary>Also of the names of our other devices.</summary>
    private const string OurDevices = "fairlead";

    private const string DefaultDevice = OurDevices + "0";

    public async Task<IReadOnlyList<DoctorCheck>> ExamineAsync(IEnumerable<Space> spaces, CancellationToken cancellationToken)
    {
        var checks = new List<DoctorCheck> { await CheckVpnsAsync(cancellationToken), await CheckFirewallAsync(cancellationToken) };
        foreach (var space in spaces)
        {
            checks.Add(await CheckConflictsAsync(space, cancellationToken));
        }

        return checks;
    }

    private async Task<DoctorCheck> CheckVpnsAsync(CancellationToken cancellationToken)
    {
        const string Subject = "VPNs";
        try
        {
            await using var routes = host.OpenRoutes(journal);
            var network = await routes.ReadAsync(cancellationToken);
            var vpns = network.Links.Where(link => link.IsUp && TunnelKinds.Contains(link.Kind) && !link.Name.StartsWith(OurDevices, StringComparison.Ordinal)).ToList();
            return new DoctorCheck(Subject, CheckResult.Ok, vpns.Count == 0 ? "No VPN is up." : $"Up: {string.Join("; ", vpns.Select(link => $"{link.Name} ({link.Kind}) with {RoutesOf(network, link)}"))}.", null);
        }
        catch (HostException e)
        {
            return new DoctorCheck(Subject, CheckResult.Failed, $"This host's routes can't be read: {e.Message}", e.Hint ?? "connect needs them.");
        }
    }

    private static string RoutesOf(HostNetwork network, HostLink link)
    {
        var routes = network.Routes.Where(route => route.Device == link.Index && route.Type == HostRouteType.Unicast)
            .Select(route => route.Destination).Distinct()
            .Where(destination => !destination.BaseAddress.IsIPv6LinkLocal && !destination.BaseAddress.IsIPv6Multicast)
            .Select(destination => destination.PrefixLength == 0 ? "default" : destination.ToString()).ToList();
        return routes.Count == 0 ? "no routes" : string.Join(", ", routes.Take(MaxRoutes)) + (routes.Count > MaxRoutes ? string.Create(CultureInfo.InvariantCulture, $" and {routes.Count - MaxRoutes} more") : "");
    }

    private async Task<DoctorCheck> CheckFirewallAsync(CancellationToken cancellationToken)
    {
        const string Subject = "firewall";
        var device = connect.Describe().Device ?? DefaultDevice;
        try
        {
            var blocks = await host.FindEgressBlocksAsync(device, cancellationToken);
            return blocks.Count == 0
                ? new DoctorCheck(Subject, CheckResult.Ok, $"Nothing keeps programs from sending by {device}.", null)
                : new DoctorCheck(
                    Subject,
                    CheckResult.Warning,
                    $"A firewall would swallow what connect sends by {device}: {string.Join("; ", blocks.Select(block => $"chain {block.Chain}, {block.Why}"))}.",
                    $"Let {device} out in the VPN's kill switch or its list of allowed devices: nft insert rule {blocks[0].Chain} oifname \"{device}\" accept");
        }
        catch (HostException e)
        {
            return new DoctorCheck(Subject, CheckResult.Warning, $"It is not known whether a firewall keeps connect from sending: {e.Message}", e.Hint);
        }
    }

    private async Task<DoctorCheck> CheckConflictsAsync(Space space, CancellationToken cancellationToken)
    {
        var subject = $"subnets of {space.Record.Name}";
        try
        {
            var plan = await connect.PlanAsync(space, cancellationToken);
            var conflicts = plan.Entries.Where(entry => entry.Conflict is not null).Select(entry => $"{entry.Prefix} overlaps {entry.Conflict}: {Outcome(entry)}").ToList();
            return plan.Refusal is { } refusal ? new DoctorCheck(subject, CheckResult.Failed, $"{(conflicts.Count > 0 ? string.Join("; ", conflicts) : refusal.Message)}.", refusal.Hint)
                : new DoctorCheck(subject, CheckResult.Ok, conflicts.Count == 0 ? "They overlap no route of this host." : string.Join("; ", conflicts) + ".", null);
        }
        catch (FairleadException e)
        {
            return new DoctorCheck(subject, CheckResult.Warning, e.Error.Why is null ? $"{e.Message}." : $"{e.Message}: {e.Error.Why}.", e.Error.Hint);
        }
    }

    private static string Outcome(PlanEntry entry) => entry.Action switch
    {
        PlanAction.Virtual => $"reached as {entry.As}",
        PlanAction.Routed => "the cluster wins, as you allow",
        _ => "nothing resolves it",
    };
}
