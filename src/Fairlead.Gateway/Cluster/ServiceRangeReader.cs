using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Fairlead.Kubernetes;
using Microsoft.Extensions.Logging;

namespace Fairlead.Gateway.Cluster;

/// <summary>
/// Asks the API server which addresses it gives to Services: its ServiceCIDR objects (Kubernetes 1.33), or, where there are none, the range that
/// it names when it refuses an address outside of it, in a dry run that stores nothing.
/// </summary>
internal sealed partial class ServiceRangeReader(KubernetesClient client, ILogger logger)
{
    private const string ServiceCidrs = "/apis/networking.k8s.io/v1/servicecidrs";
    private const int Refused = 422;

    /// <summary>Documentation addresses (RFC 5737, RFC 3849): no cluster's range holds them.</summary>
    private static readonly (AddressFamily Family, string Name, string Address)[] Outsiders =
        [(AddressFamily.InterNetwork, "IPv4", "192.0.2.1"), (AddressFamily.InterNetworkV6, "IPv6", "2001:db8::1")];

    // By family; a server that said once keeps its range until it is started anew, and this gateway learns of that by its next start.
    private readonly Dictionary<AddressFamily, IPNetwork?> refusals = [];
    private string? failure;

    /// <summary>What it says; empty when it can't be had. Failures are logged once each.</summary>
    public async Task<IReadOnlyList<IPNetwork>> ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (await ReadObjectsAsync(cancellationToken) is { Count: > 0 } objects)
            {
                return objects;
            }

            foreach (var (family, name, address) in Outsiders)
            {
                if (!refusals.ContainsKey(family))
                {
                    refusals[family] = await ProbeAsync(name, address, cancellationToken);
                }
            }

            failure = null;
        }
        catch (KubernetesException e)
        {
            if (failure != e.Message)
            {
                LogFailed(e.Message);
                failure = e.Message;
            }
        }

        return [.. refusals.Values.OfType<IPNetwork>()];
    }

    /// <summary>The range in an API server's refusal of an address, in words that it has used since 1.9; null in any other message.</summary>
    internal static IPNetwork? RangeIn(string message) =>
        Range().Match(message) is { Success: true } match && IPNetwork.TryParse(match.Groups["range"].ValueSpan, out var range) ? range : null;

    /// <summary>None where the server has no such objects, or doesn't let us see them.</summary>
    private async Task<IReadOnlyList<IPNetwork>> ReadObjectsAsync(CancellationToken cancellationToken)
    {
        try
        {
            var list = await client.GetJsonAsync(ServiceCidrs, cancellationToken);
            return [.. (list?["items"] as JsonArray ?? [])
                .SelectMany(item => item?["spec"]?["cidrs"] as JsonArray ?? [])
                .Select(cidr => IPNetwork.TryParse((string?)cidr, out var range) ? range : (IPNetwork?)null)
                .OfType<IPNetwork>()];
        }
        catch (KubernetesException e) when (e.Code is 403 or 404)
        {
            return [];
        }
    }

    private async Task<IPNetwork?> ProbeAsync(string family, string address, CancellationToken cancellationToken)
    {
        var service = new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Service",
            ["metadata"] = new JsonObject { ["name"] = "fairlead-range" },
            ["spec"] = new JsonObject
            {
                ["ipFamilies"] = new JsonArray(family),
                ["ipFamilyPolicy"] = "SingleStack",
                ["clusterIP"] = address,
                ["ports"] = new JsonArray(new JsonObject { ["port"] = 443 }),
            },
        };
        try
        {
            await client.PostJsonAsync($"/api/v1/namespaces/{client.Connection.Namespace}/services?dryRun=All", service, cancellationToken);
            return null;
        }
        catch (KubernetesException e) when (e.Code == Refused)
        {
            return RangeIn(e.Status?.Message ?? e.Message);
        }
    }

    [GeneratedRegex(@"range of valid IPs is (?<range>[0-9a-fA-F.:]+/[0-9]{1,3})", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Range();

    [LoggerMessage(1131, LogLevel.Warning, "the API server does not say which addresses it gives to Services ({Error}): what is around those that are there counts instead")]
    private partial void LogFailed(string error);
}
