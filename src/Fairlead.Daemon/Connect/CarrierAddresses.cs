using System.Net;
using System.Net.Sockets;
using Fairlead.Daemon.Plan;
using Fairlead.Daemon.Spaces;

namespace Fairlead.Daemon.Connect;

/// <summary>
/// The addresses that the connection itself needs: every way to the gateway, the proxy in front of it, and the servers that this host asks for names. Names are
/// resolved here, and what they were is kept: a carrier that is up goes on with the address that it dialled.
/// </summary>
internal sealed class CarrierAddresses(TimeProvider time)
{
    /// <summary>Of one name; more than any load balancer has.</summary>
    private const int MaxAddresses = 32;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>How long an answer, or that there was none, is good for: a plan must not wait for the DNS each time.</summary>
    private static readonly TimeSpan Freshness = TimeSpan.FromMinutes(1);

    private static readonly string[] ProxyVariables = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

    private readonly Dictionary<string, Resolved> resolved = [];

    /// <summary>Not by several callers at once.</summary>
    /// <param name="servers">That this host asks for names.</param>
    public async Task<IReadOnlyList<CarrierAddress>> ReadAsync(Space space, IEnumerable<IPAddress> servers, CancellationToken cancellationToken)
    {
        var addresses = new List<CarrierAddress>();
        foreach (var (host, what) in Hosts(space).DistinctBy(one => one.Host))
        {
            addresses.AddRange((await ResolveAsync(host, cancellationToken)).Select(address => new CarrierAddress(address, what)));
        }

        addresses.AddRange(servers.Select(server => new CarrierAddress(server, "a name server of this host")));
        return [.. addresses.Where(carrier => !IPAddress.IsLoopback(carrier.Address)).DistinctBy(carrier => carrier.Address)];
    }

    /// <summary>What the addresses are of: when it changes they are to be read again.</summary>
    public static IEnumerable<(string Host, string What)> Hosts(Space space)
    {
        foreach (var endpoint in space.Record.Endpoints)
        {
            yield return (endpoint.Host, "the gateway");
        }

        foreach (var way in space.Link.Status.Ways)
        {
            if (HostOf(way.Where) is { } host)
            {
                yield return (host, way.Carrier == "port-forward" ? "the API server" : "the gateway");
            }
        }

        foreach (var proxy in ProxyVariables.Select(Environment.GetEnvironmentVariable))
        {
            if (!string.IsNullOrEmpty(proxy) && HostOf(proxy) is { } host)
            {
                yield return (host, "the proxy");
            }
        }
    }

    /// <summary>Of a URL or of <c>host:port</c>; null for anything else.</summary>
    internal static string? HostOf(string where) =>
        Uri.TryCreate(where.Contains("://", StringComparison.Ordinal) ? where : "tcp://" + where, UriKind.Absolute, out var url) && url.IdnHost.Length > 0 ? url.IdnHost.Trim('[', ']') : null;

    private async Task<IReadOnlyCollection<IPAddress>> ResolveAsync(string host, CancellationToken cancellationToken)
    {
        if (IPAddress.TryParse(host, out var literal))
        {
            return [literal];
        }

        var known = resolved.TryGetValue(host, out var earlier) ? earlier : resolved[host] = new Resolved();
        if (known.At is { } at && time.GetElapsedTime(at) < Freshness)
        {
            return known.Addresses;
        }

        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            foreach (var address in (await System.Net.Dns.GetHostAddressesAsync(host, patience.Token)).Take(MaxAddresses - known.Addresses.Count))
            {
                known.Addresses.Add(address);
            }
        }
        catch (Exception e) when (e is SocketException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // Not to be had just now: what it was before still counts.
        }

        known.At = time.GetTimestamp();
        return known.Addresses;
    }

    private sealed class Resolved
    {
        public HashSet<IPAddress> Addresses { get; } = [];

        public long? At { get; set; }
    }
}
