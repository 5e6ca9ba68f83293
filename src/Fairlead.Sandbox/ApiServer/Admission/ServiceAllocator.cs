using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Kinds;

namespace Fairlead.Sandbox.ApiServer.Admission;

/// <summary>
/// Cluster addresses and node ports of services. What is taken is read from the services themselves, so nothing can leak; the writer holds
/// a lock from here until the service is stored.
/// </summary>
internal sealed class ServiceAllocator(IObjectStore store, ServiceRanges ranges)
{
    // What each stored service holds, read once from it and forgotten with it: every create looks at all of them.
    private readonly ConditionalWeakTable<JsonObject, Holding> holdings = [];

    /// <summary>Completes <paramref name="service"/>: families, addresses and ports that it asks for or needs.</summary>
    public void Allocate(JsonObject service, JsonObject? old, FieldErrors errors)
    {
        var spec = service.Ensure("spec");
        var type = spec.Text("type");
        if (type == "ExternalName")
        {
            foreach (var field in (ReadOnlySpan<string>)["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"])
            {
                spec.Remove(field);
            }
        }
        else
        {
            Holding[] others = [.. store.List(BuiltInKinds.Services).Items.Select(HoldingOf).Where(other => old is null || other.Uid != old.Uid())];
            Families(spec, errors);
            Address(spec, old?.Map("spec"), others, errors);
            Ports(spec, old?.Map("spec"), others, needed: type is "NodePort" or "LoadBalancer", errors);
        }
    }

    private static void Families(JsonObject spec, FieldErrors errors)
    {
        if (spec.Text("ipFamilyPolicy") == "RequireDualStack")
        {
            errors.Invalid("spec.ipFamilyPolicy", "RequireDualStack", "this cluster is not configured for dual-stack services");
        }

        foreach (var (family, index) in spec.Texts("ipFamilies").Select((family, index) => (family, index)).Where(item => item.family != "IPv4"))
        {
            errors.Invalid($"spec.ipFamilies[{index}]", family, "not configured on this cluster");
        }

        spec.Default("ipFamilyPolicy", "SingleStack");
        spec.Default("ipFamilies", new JsonArray("IPv4"));
    }

    private void Address(JsonObject spec, JsonObject? old, Holding[] others, FieldErrors errors)
    {
        var address = spec.Text("clusterIP") is { Length: > 0 } asked ? asked : spec.Texts("clusterIPs").FirstOrDefault() ?? "";
        if (address.Length == 0 && old.Text("clusterIP") is { Length: > 0 } kept)
        {
            address = kept; // An update that leaves it out keeps it.
        }

        if (address.Length == 0)
        {
            address = ranges.FreeAddress(IsTaken)
                ?? throw new StatusException(500, "InternalError", "Internal error occurred: failed to allocate a serviceIP: range is full");
        }
        else if (address != "None")
        {
            if (!IPAddress.TryParse(address, out var parsed))
            {
                errors.Invalid("spec.clusterIPs[0]", address, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
            }
            else if (!ranges.Addresses.Contains(parsed))
            {
                errors.Invalid(
                    "spec.clusterIPs",
                    new JsonArray(address),
                    $"failed to allocate IP {address}: the provided IP ({address}) is not in the valid range. The range of valid IPs is {ranges.Addresses}");
            }
            else if (IsTaken(address))
            {
                errors.Invalid("spec.clusterIPs", new JsonArray(address), $"failed to allocate IP {address}: provided IP is already allocated");
            }
        }

        spec["clusterIP"] = address;
        spec["clusterIPs"] = new JsonArray(address);

        bool IsTaken(string candidate) => others.Any(other => other.Address == candidate);
    }

    private void Ports(JsonObject spec, JsonObject? old, Holding[] others, bool needed, FieldErrors errors)
    {
        var before = old.Maps("ports").ToArray();
        var taken = others.SelectMany(other => other.Ports).ToHashSet();
        foreach (var (port, index) in spec.Maps("ports").Select((port, index) => (port, index)))
        {
            var field = $"spec.ports[{index}].nodePort";
            if (!needed)
            {
                if (NodePort.Of(port) is { } stale && !before.Select(NodePort.Of).Contains(stale))
                {
                    errors.Forbidden(field, $"may not be used when `type` is '{spec.Text("type")}'");
                }

                port.Remove("nodePort");
                continue;
            }

            if (NodePort.Of(port) is null)
            {
                var same = before.FirstOrDefault(other => other.Number("port") == port.Number("port") && other.Text("protocol") == port.Text("protocol"));
                var free = same.Number("nodePort") ?? ranges.FreePort(candidate => taken.Any(used => used.Port == candidate));
                port["nodePort"] = free
                    ?? throw new StatusException(500, "InternalError", "Internal error occurred: failed to allocate a nodePort: range is full");
            }

            var wanted = NodePort.Of(port)!.Value;
            if (!ranges.ContainsPort(wanted.Port))
            {
                errors.Invalid(
                    field, wanted.Port, $"provided port is not in the valid range. The range of valid ports is {ranges.FirstPort}-{ranges.LastPort}");
            }
            else if (!taken.Add(wanted))
            {
                errors.Invalid(field, wanted.Port, "provided port is already allocated");
            }
        }
    }

    private Holding HoldingOf(JsonObject service) =>
        holdings.GetValue(service, static service =>
            new Holding(service.Uid(), service.Text("spec", "clusterIP"), [.. service.Maps("spec", "ports").Select(NodePort.Of).OfType<NodePort>()]));

    private sealed record Holding(string? Uid, string? Address, NodePort[] Ports);

    private readonly record struct NodePort(long Port, string Protocol)
    {
        public static NodePort? Of(JsonObject port) => port.Number("nodePort") is { } number and not 0 ? new NodePort(number, port.Text("protocol") ?? "TCP") : null;
    }
}
