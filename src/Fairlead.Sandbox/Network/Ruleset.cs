using System.Globalization;
using System.Text;

namespace Fairlead.Sandbox.Network;

/// <summary>
/// The packet filter of the cluster's namespace as text for <c>nft -f</c>. Services are elements of two maps and no chains of their own:
/// <c>services</c> leads (address, protocol, port) to a chain that draws one of n numbers, <c>endpoints</c> leads the same key and that
/// number to an endpoint. A change of a service is a few elements in one transaction, whatever the number of services.
/// </summary>
internal static class Ruleset
{
    internal const string HostLink = "host0";
    internal const string Bridge = "br0";

    private const string Table = "ip fairlead";

    internal static string Skeleton(ClusterLayout layout) => $$"""
        table {{Table}} {
          map services { type ipv4_addr . inet_proto . inet_service : verdict; }
          map endpoints { type ipv4_addr . inet_proto . inet_service . mark : ipv4_addr . inet_service; }
          set hairpin { type ipv4_addr . ipv4_addr; }

          chain pick { dnat ip to ip daddr . meta l4proto . th dport . meta mark map @endpoints; }

          # From the host only the node's own address is spoken to: no pod, no ClusterIP, whatever routes the host adds.
          chain guard {
            type filter hook prerouting priority raw; policy accept;
            iifname "{{HostLink}}" ip daddr != {{layout.NodeAddress}} drop;
          }

          chain translate {
            type nat hook prerouting priority dstnat; policy accept;
            ip daddr . meta l4proto . th dport vmap @services;
          }

          chain forward {
            type filter hook forward priority filter; policy drop;
            ct state established,related accept;
            oifname "{{Bridge}}" ct status dnat accept;
            iifname "{{Bridge}}" oifname "{{Bridge}}" ip daddr {{ClusterLayout.PodSubnet}} accept;
            iifname "{{Bridge}}" oifname "{{HostLink}}" ip daddr {{layout.HostAddress}} tcp dport {{ClusterLayout.ApiPort}} accept;
            jump refuse;
          }

          chain input {
            type filter hook input priority filter; policy drop;
            iifname "lo" accept;
            ct state established,related accept;
            iifname "{{Bridge}}" ip daddr {{ClusterLayout.BridgeAddress}} meta l4proto { tcp, udp } th dport 53 accept;
            iifname "{{Bridge}}" icmp type echo-request accept;
            jump refuse;
          }

          chain refuse {
            meta l4proto tcp reject with tcp reset;
            reject with icmp port-unreachable;
          }

          chain postrouting {
            type nat hook postrouting priority srcnat; policy accept;
            ip saddr . ip daddr @hairpin masquerade;
            oifname "{{HostLink}}" masquerade;
          }
        }

        """;

    /// <summary>
    /// The transaction that leads from one state of some services to another; empty when nothing differs. <paramref name="chains"/> are
    /// the drawing chains that exist already; new ones are added to it.
    /// </summary>
    internal static string Change(IEnumerable<(ServiceRules Before, ServiceRules After)> services, ISet<string> chains)
    {
        var made = new StringBuilder();
        var removed = new Elements("delete");
        var added = new Elements("add");
        foreach (var (before, after) in services)
        {
            foreach (var port in before.Ports.Where(port => !after.Ports.Contains(port)))
            {
                removed.Take(port);
            }

            foreach (var port in after.Ports.Where(port => !before.Ports.Contains(port)))
            {
                if (chains.Add(port.Chain))
                {
                    made.Append(CultureInfo.InvariantCulture, $"add chain {Table} {port.Chain}\n");
                    made.Append(CultureInfo.InvariantCulture, $"add rule {Table} {port.Chain} meta mark set {Draw(port)}\n");
                    made.Append(CultureInfo.InvariantCulture, $"add rule {Table} {port.Chain} goto pick\n");
                }

                added.Take(port);
            }
        }

        return made.Append(removed.Render()).Append(added.Render()).ToString();
    }

    private static string Draw(PortRule port) => (port.Endpoints.Count, port.Sticky) switch
    {
        (1, _) => "0",
        (var n, true) => $"jhash ip saddr mod {n}",
        var (n, _) => $"numgen random mod {n}",
    };

    private sealed class Elements(string verb)
    {
        private readonly List<string> services = [];
        private readonly List<string> endpoints = [];
        private readonly HashSet<string> hairpins = [];

        internal void Take(PortRule port)
        {
            var key = $"{port.Address} . {port.Protocol} . {port.Port}";
            services.Add(verb == "add" ? $"{key} : goto {port.Chain}" : key);
            for (var i = 0; i < port.Endpoints.Count; i++)
            {
                var (address, number) = (port.Endpoints[i].Address, port.Endpoints[i].Port);
                endpoints.Add(verb == "add" ? $"{key} . {i} : {address} . {number}" : $"{key} . {i}");
                hairpins.Add($"{address} . {address}");
            }
        }

        internal string Render()
        {
            var text = new StringBuilder();
            Render(text, "services", services);
            Render(text, "endpoints", endpoints);
            if (verb == "add")
            {
                // Never removed: another service may need the element, a stale one does no harm, and there are at most 65 533.
                Render(text, "hairpin", hairpins);
            }

            return text.ToString();
        }

        private void Render(StringBuilder text, string name, IReadOnlyCollection<string> elements)
        {
            if (elements.Count > 0)
            {
                text.Append(CultureInfo.InvariantCulture, $"{verb} element {Table} {name} {{ {string.Join(",\n  ", elements)} }}\n");
            }
        }
    }
}
