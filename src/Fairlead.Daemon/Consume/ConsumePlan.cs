using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Names;
using Fairlead.Platform.Capture;

namespace Fairlead.Daemon.Consume;

/// <summary>A selection with addresses: what is to be captured, published and told. Pure; what the host did with it comes back by the two reports.</summary>
internal sealed class ConsumePlan
{
    private readonly ConsumeSelection selection;
    private readonly IReadOnlyDictionary<AddressKey, IPAddress> addresses;

    public ConsumePlan(ConsumeSelection selection, IReadOnlyDictionary<AddressKey, IPAddress> addresses)
    {
        this.selection = selection;
        this.addresses = addresses;
    }

    public static readonly ConsumePlan Nothing = new(ConsumeSelection.Nothing, new Dictionary<AddressKey, IPAddress>());

    public ConsumeSelection Selection => selection;

    /// <summary>Null when none was left for it.</summary>
    public IPAddress? AddressOf(SelectedHost host) => addresses.GetValueOrDefault(host.Key);

    /// <summary>The lines of our section: all names but those that somebody else's lines define.</summary>
    public IReadOnlyList<HostsEntry> Entries(ForeignHosts foreign)
    {
        var entries = new List<HostsEntry>(selection.Hosts.Count);
        foreach (var host in selection.Hosts)
        {
            var names = Published(host, foreign);
            if (names.Count > 0 && addresses.TryGetValue(host.Key, out var address))
            {
                entries.Add(new HostsEntry(address, names));
            }
        }

        return entries;
    }

    public CaptureTable Table() => new(
        selection.Hosts.Where(host => addresses.ContainsKey(host.Key)).SelectMany(host => Entries(addresses[host.Key], host.Ports)),
        selection.Hosts.Where(host => addresses.ContainsKey(host.Key)).Select(host => addresses[host.Key]));

    /// <summary>Where flows to each address lead.</summary>
    public Dictionary<IPAddress, Route> Routes() => selection.Hosts
        .Where(host => addresses.ContainsKey(host.Key))
        .ToDictionary(host => addresses[host.Key], host => new Route(host.Key.Space, $"{host.Key.Host}.{host.Key.Namespace}.svc", host.Ports));

    /// <summary>What people are told of one space.</summary>
    public ConsumeState Describe(PlanSpace space, ForeignHosts foreign, IReadOnlyList<CaptureFailure> failures)
    {
        var failuresOf = failures.ToLookup(failure => failure.Entry.Address, failure => failure);
        var services = new List<ConsumedService>();
        var hidden = new List<string>();
        foreach (var host in selection.Hosts.Where(host => host.Key.Space == space.Key))
        {
            var address = addresses.GetValueOrDefault(host.Key);
            hidden.AddRange(host.Names.Where(foreign.Names.Contains).Select(name => $"The name '{name}' is already in the hosts file, in a line that is not ours, and is left as it is there."));
            services.Add(new ConsumedService(
                host.Key.Namespace,
                host.Key.Host,
                host.Service.Kind,
                address?.ToString() ?? "",
                address is null ? [] : Published(host, foreign),
                host.Ports.Ports,
                address is null ? "the loopback range has no free address left (option loopback-range)" : Explain(failuresOf[address])));
        }

        return new ConsumeState(space.Name, space.Rules.Texts, services, [.. selection.Warnings.GetValueOrDefault(space.Key, []), .. ConsumeSelection.Bounded(hidden)]);
    }

    private static IReadOnlyList<string> Published(SelectedHost host, ForeignHosts foreign) => foreign.Names.Count == 0 || !host.Names.Any(foreign.Names.Contains)
        ? host.Names
        : [.. host.Names.Where(name => !foreign.Names.Contains(name))];

    private static string? Explain(IEnumerable<CaptureFailure> failures)
    {
        var text = string.Join("; ", failures.Select(failure => $"{failure.Entry}: {failure.Reason}"));
        return text.Length == 0 ? null : text;
    }

    private static IEnumerable<CaptureEntry> Entries(IPAddress address, PortSelection ports) => ports.Any
        ? [new CaptureEntry(address, CaptureProtocol.Tcp, 0), new CaptureEntry(address, CaptureProtocol.Udp, 0)]
        : ports.Ports.Where(port => port.Port is > 0 and <= ushort.MaxValue).Select(port => new CaptureEntry(
            address, port.Protocol == TransportProtocol.Tcp ? CaptureProtocol.Tcp : CaptureProtocol.Udp, (ushort)port.Port));
}

/// <summary>Where flows to one address lead: <paramref name="Host"/> as in <see cref="Tunnel.FlowTarget.Host"/>, in the space with this key.</summary>
internal sealed record Route(string Space, string Host, PortSelection Ports)
{
    public bool Allows(int port) => !Ports.Any || !Ports.Except.Contains(port);
}
