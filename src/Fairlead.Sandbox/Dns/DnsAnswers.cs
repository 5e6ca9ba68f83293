using System.Net;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Dns.Messages;
using Fairlead.Dns.Server;
using Fairlead.Sandbox.Network;
using Fairlead.Sandbox.Objects;

namespace Fairlead.Sandbox.Dns;

/// <summary>
/// The names of a cluster (https://github.com/kubernetes/dns/blob/master/docs/specification.md): services, headless services and their
/// pods, ports, addresses. Names outside the cluster do not exist here, because nothing leaves a sandbox.
/// </summary>
internal sealed class DnsAnswers(ServiceIndex index) : IDnsHandler
{
    private const uint TimeToLive = 5;
    private const uint NegativeTimeToLive = 5;

    private static readonly DnsName Cluster = DnsName.Parse(ClusterLayout.ClusterDomain);
    private static readonly DnsName Reverse = DnsName.Parse("in-addr.arpa");

    private static readonly DnsRecord Authority = new(Cluster, DnsType.Soa, NegativeTimeToLive, new AuthorityData(
        DnsName.Parse("ns.dns." + ClusterLayout.ClusterDomain), DnsName.Parse("hostmaster." + ClusterLayout.ClusterDomain), 1, 7200, 1800, 86400, NegativeTimeToLive));

    public ValueTask<DnsResponse> HandleAsync(DnsQuery query, CancellationToken cancellationToken) => new(Answer(query.Message, query.Question));

    internal DnsMessage Answer(DnsMessage query, DnsQuestion question)
    {
        var inside = question.Name.IsAtOrBelow(Cluster);
        var found = question.Class is not (DnsClass.Internet or DnsClass.Any) ? null
            : inside ? Forward(question.Name)
            : question.Name.IsAtOrBelow(Reverse) ? Backward(question.Name)
            : null;
        if (found is null)
        {
            return Negative(query.Reply(DnsResponseCode.NameError, flags: DnsFlags.Authoritative | DnsFlags.RecursionAvailable), inside);
        }

        var answers = found.Where(r => r.Type == question.Type || r.Type == DnsType.CName || question.Type == DnsType.Any).ToArray();
        var reply = query.Reply(DnsResponseCode.NoError, answers, DnsFlags.Authoritative | DnsFlags.RecursionAvailable);
        return answers.Length == 0 ? Negative(reply, inside) : reply;
    }

    private static DnsMessage Negative(DnsMessage reply, bool inside) => inside ? reply with { Authorities = [Authority] } : reply;

    /// <summary>All records of a name; null when there is no such name.</summary>
    private DnsRecord[]? Forward(DnsName name)
    {
        var labels = name.Labels.SkipLast(Cluster.LabelCount).Select(label => label.ToLowerInvariant()).ToArray();
        return labels switch
        {
            [] or ["svc"] or ["pod"] => [],
            [var ns, "svc" or "pod"] => index.Services.Any(s => s.Namespace() == ns) ? [] : null,
            [var address, var ns, "pod"] => PodByAddress(name, address, ns),
            [.. var host, var service, var ns, "svc"] when index.Service(new ObjectKey(ns, service)) is { } found => OfService(name, found, host),
            _ => null,
        };
    }

    /// <summary>1-2-3-4.NAMESPACE.pod says its address itself.</summary>
    private DnsRecord[]? PodByAddress(DnsName name, string label, string ns) =>
        index.Services.Any(s => s.Namespace() == ns) && IPAddress.TryParse(label.Replace('-', '.'), out var address) && label.Count(c => c == '-') == 3
            ? [DnsRecord.Address(name, TimeToLive, address)]
            : null;

    private DnsRecord[]? OfService(DnsName name, JsonObject service, string[] host)
    {
        if (service.Text("spec", "type") == "ExternalName")
        {
            return host.Length == 0 && DnsName.TryParse(service.Text("spec", "externalName"), out var target)
                ? [new DnsRecord(name, DnsType.CName, TimeToLive, new NameData(target))]
                : null;
        }

        var clusterIp = service.Text("spec", "clusterIP");
        if (!IPAddress.TryParse(clusterIp, out var address))
        {
            return clusterIp == "None" ? OfHeadless(name, service, host) : null;
        }

        return host switch
        {
            [] => [DnsRecord.Address(name, TimeToLive, address)],
            [['_', .. var port], ['_', .. var protocol]] => NonEmpty(service.Maps("spec", "ports")
                .Where(p => Same(p.Text("name"), port) && Same(p.Text("protocol") ?? "TCP", protocol) && p.Number("port") is not null)
                .Select(p => new DnsRecord(name, DnsType.Srv, TimeToLive, new ServiceData(0, 100, (ushort)p.Number("port")!.Value, name.Parent.Parent)))),
            _ => null,
        };
    }

    private DnsRecord[]? OfHeadless(DnsName name, JsonObject service, string[] host)
    {
        var members = Members(service).ToArray();
        return host switch
        {
            [] => [.. members.Select(m => m.Address).Distinct().Select(address => DnsRecord.Address(name, TimeToLive, address))],
            [var label] when !label.StartsWith('_') => NonEmpty(members.Where(m => m.Host == label).Select(m => m.Address).Distinct()
                .Select(address => DnsRecord.Address(name, TimeToLive, address))),
            [['_', .. var port], ['_', .. var protocol]] => NonEmpty(members
                .SelectMany(m => m.Ports.Where(p => Same(p.Name, port) && Same(p.Protocol, protocol)).Select(p => (m.Host, p.Port))).Distinct()
                .Select(m => new DnsRecord(name, DnsType.Srv, TimeToLive, new ServiceData(0, 100, (ushort)m.Port, DnsName.Parse($"{m.Host}.{name.Parent.Parent}"))))),
            _ => null,
        };
    }

    private DnsRecord[]? Backward(DnsName name)
    {
        var labels = name.Labels.SkipLast(Reverse.LabelCount).Reverse().ToArray();
        if (labels.Length != 4 || !IPAddress.TryParse(string.Join('.', labels), out var address))
        {
            return null;
        }

        var text = address.ToString();
        var names = new List<string>();
        foreach (var service in index.Services)
        {
            var own = $"{service.Name()}.{service.Namespace()}.svc.{ClusterLayout.ClusterDomain}";
            var clusterIp = service.Text("spec", "clusterIP");
            if (clusterIp == text)
            {
                names.Add(own);
            }
            else if (clusterIp == "None")
            {
                names.AddRange(Members(service).Where(m => m.Address.Equals(address)).Select(m => $"{m.Host}.{own}"));
            }
        }

        return NonEmpty(names.Distinct().Select(n => new DnsRecord(name, DnsType.Ptr, TimeToLive, new NameData(DnsName.Parse(n)))));
    }

    /// <summary>The ready endpoints of a headless service. Without a host name of its own an endpoint is called after its address.</summary>
    private IEnumerable<(string Host, IPAddress Address, IReadOnlyList<(string Name, string Protocol, int Port)> Ports)> Members(JsonObject service)
    {
        foreach (var slice in index.Slices(service.Key()))
        {
            var ports = slice.Maps("ports").Where(p => p.Number("port") is not null)
                .Select(p => (p.Text("name") ?? "", p.Text("protocol") ?? "TCP", p.Number("port")!.Value)).ToArray();
            foreach (var endpoint in slice.Maps("endpoints").Where(e => e.Flag("conditions", "ready") ?? true))
            {
                foreach (var text in endpoint.Texts("addresses"))
                {
                    if (IPAddress.TryParse(text, out var address))
                    {
                        yield return (endpoint.Text("hostname")?.ToLowerInvariant() ?? text.Replace('.', '-'), address, ports);
                    }
                }
            }
        }
    }

    private static DnsRecord[]? NonEmpty(IEnumerable<DnsRecord> records) => records.ToArray() is { Length: > 0 } some ? some : null;

    private static bool Same(string? a, string b) => string.Equals(a, b, StringComparison.OrdinalIgnoreCase);
}
