using System.Net;

namespace Fairlead.Gateway.Dns;

/// <summary>What a pod's resolv.conf says of its cluster (resolv.conf(5); kubelets write one search entry per scope).</summary>
internal sealed record ResolverConfiguration(IPEndPoint? Server, string ClusterDomain)
{
    private const string DefaultClusterDomain = "cluster.local";
    private const int DnsPort = 53;

    public static ResolverConfiguration Parse(IEnumerable<string> lines)
    {
        IPEndPoint? server = null;
        string? domain = null;
        foreach (var line in lines)
        {
            switch (line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries))
            {
                case ["nameserver", var text, ..] when server is null && IPAddress.TryParse(text, out var address):
                    server = new IPEndPoint(address, DnsPort);
                    break;
                case ["search", .. var suffixes]:
                    domain = suffixes.FirstOrDefault(s => s.StartsWith("svc.", StringComparison.Ordinal))?["svc.".Length..].TrimEnd('.');
                    break;
            }
        }

        return new ResolverConfiguration(server, string.IsNullOrEmpty(domain) ? DefaultClusterDomain : domain);
    }
}
