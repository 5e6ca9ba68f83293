using System.Collections.Frozen;
using System.Net;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Plan;
using Fairlead.Daemon.Settings;
using Fairlead.Daemon.Spaces;
using Fairlead.Platform;
using Fairlead.Platform.Capture;
using Fairlead.Platform.Routes;

namespace Fairlead.Daemon.Connect;

/// <summary>Gathers what a plan is made from: host, cluster, settings, carriers. Changes nothing. Not by several callers at once.</summary>
internal sealed class PlanSource(Space space, DaemonSettings settings, IConnectNames names, SpaceStore store, TimeProvider time)
{
    private readonly CarrierAddresses carriers = new(time);
    private readonly Dictionary<string, string> exits = [];
    private List<TranslatedSubnet> known = [.. Known(store.LoadVirtual(space.Record))];

    public Space Space => space;

    /// <summary>Asks the gateway for each workload that flows shall leave from.</summary>
    /// <exception cref="FairleadException">There is no such workload, it is not granted, or the gateway can't do that.</exception>
    public async Task ResolveExitsAsync(ConnectRequest request, CancellationToken cancellationToken)
    {
        foreach (var workload in (request.ProxyVia ?? []).Select(via => via.Workload).Distinct())
        {
            if (exits.ContainsKey(workload))
            {
                continue;
            }

            if (space.Hello?.Capabilities.Contains(GatewayCapabilities.Via) != true)
            {
                throw new FairleadException(ErrorCategory.Failed, "gateway-version", "The gateway can't let flows leave from a workload", "its version is too old", "Upgrade it: 'fairlead gateway upgrade'.");
            }

            var parts = workload.Split('/');
            var ns = parts.Length == 3 ? parts[0] : request.Namespace ?? space.Settings.PrimaryNamespace ?? throw new FairleadException(
                ErrorCategory.Usage, "workload-invalid", $"'--proxy-via …={workload}' names no namespace", "none was given with -n, and there is no primary namespace", $"--proxy-via CIDR=NAMESPACE/deployment/{parts[^1]}");
            var asked = new ExitRequest(ns, parts.Length == 3 ? string.Join('/', parts[1..]) : workload);
            exits[workload] = (await GatewayClient.PostAsync(space.Link.Api, GatewayApi.Exit, asked, GatewayJson.Default.ExitRequest, GatewayJson.Default.ExitResponse, cancellationToken)).Via;
        }
    }

    /// <param name="device">Ours; null: there is none yet.</param>
    /// <exception cref="FairleadException">The wishes make no sense, or the gateway does not tell the cluster's subnets.</exception>
    /// <exception cref="HostException">The host can't be read.</exception>
    public async Task<ConnectPlan> PlanAsync(ConnectRequest request, IHostRoutes routes, TunDevice? device, CancellationToken cancellationToken)
    {
        var network = space.Network ?? throw new FairleadException(
            ErrorCategory.NotConnected,
            "cluster-network-unknown",
            $"The subnets of space '{space.Record.Name}' are not known",
            space.Hello is null ? space.Problem?.Message ?? "the gateway has not been reached yet" : "its gateway does not tell them: it is too old, or may not read them",
            space.Hello is null ? "Run 'fairlead doctor'." : "Upgrade it: 'fairlead gateway upgrade'.");
        var cluster = new ClusterSubnets([.. network.ServiceSubnets.Select(Prefix.Parse)], [.. network.PodSubnets.Select(Prefix.Parse)]);
        var wishes = WishReader.Read(Options(), request, cluster, exits);
        var carrying = await carriers.ReadAsync(space, await names.ReadServersAsync(cancellationToken), cancellationToken);
        var host = await routes.ReadAsync(cancellationToken);
        var own = new[] { TunOptions.Default.Address, TunOptions.Default.Address6, device?.Address, device?.Address6 };
        return Planner.Plan(new PlanInputs(
            cluster, host, device?.Index ?? 0, device?.Name ?? "fairlead", wishes, carrying, [.. own.OfType<IPAddress>().Distinct().Select(address => Prefix.Of(address))], known));
    }

    /// <summary>Takes over the virtual addresses of a plan that is in force, so that they are the same next time.</summary>
    /// <exception cref="IOException">They can't be stored.</exception>
    /// <exception cref="UnauthorizedAccessException">They can't be stored.</exception>
    public void Keep(ConnectPlan plan, AddressTable? table)
    {
        // Those that are not needed now may be again; of those that were never needed again the oldest go.
        known = [.. plan.Translated.Concat(known).DistinctBy(subnet => subnet.Real).Take(MaxKnown)];
        store.SaveVirtual(space.Record, new StoredVirtual(
            [.. known.Select(subnet => new StoredPair(subnet.Real.ToString(), subnet.Local.ToString()))],
            [.. (table?.Assignments ?? []).Select(pair => new StoredPair(pair.Real.ToString(), pair.Local.ToString()))]));
    }

    public AddressTable? TableFor(ConnectPlan plan, AddressTable? current) => plan.Table is not { } block ? null
        : current?.Block == block ? current
        : new AddressTable(block, store.LoadVirtual(space.Record).Addresses.Select(pair => (Real: Address(pair.Real), Local: Address(pair.Local))).Where(pair => pair is { Real: not null, Local: not null }).Select(pair => (pair.Real!, pair.Local!)));

    /// <summary>What the options say that are in force for this space.</summary>
    public WishOptions Options()
    {
        var options = settings.List(space.GatewaySettings).Options.ToFrozenDictionary(option => option.Key);
        return new WishOptions(
            options[ClientSettingKeys.AlsoProxySubnets].Value,
            options[ClientSettingKeys.NeverProxySubnets].Value,
            options[ClientSettingKeys.AllowConflictingSubnets].Value,
            options[ClientSettingKeys.VirtualSubnet] is { Source: not OptionSource.Default } chosen ? chosen.Value : null,
            options[DaemonSettings.AutoResolveConflicts].Value == "true");
    }

    /// <summary>A cluster has a handful of subnets.</summary>
    private const int MaxKnown = 256;

    private static IEnumerable<TranslatedSubnet> Known(StoredVirtual stored) => stored.Subnets
        .Where(pair => SettingText.IsNetwork(pair.Real) && SettingText.IsNetwork(pair.Local))
        .Select(pair => new TranslatedSubnet(IPNetwork.Parse(pair.Real), IPNetwork.Parse(pair.Local)));

    private static IPAddress? Address(string text) => IPAddress.TryParse(text, out var address) ? address : null;
}
