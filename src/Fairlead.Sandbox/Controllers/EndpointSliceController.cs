using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Network;
using Fairlead.Sandbox.Objects;
using Microsoft.Extensions.Logging;

namespace Fairlead.Sandbox.Controllers;

/// <summary>One EndpointSlice for a Service with a selector; more when its pods resolve a named port differently.</summary>
internal sealed class EndpointSliceController : Controller
{
    private const string Manager = "endpointslice-controller.k8s.io";
    private const string ManagedBy = "endpointslice.kubernetes.io/managed-by";
    private const string ServiceName = "kubernetes.io/service-name";

    private readonly ObjectCache services;
    private readonly ObjectCache pods;

    internal EndpointSliceController(IObjectStore store, TimeProvider time, ILogger logger)
        : base(store, time, logger)
    {
        services = Watch(Kinds.Services, Itself);
        pods = Watch(Kinds.Pods, pod => services!.Items
            .Where(service => service.Namespace() == pod.Namespace() && Selects(service, pod)).Select(service => service.Key()));
        Watch(Kinds.EndpointSlices, slice => slice.Text("metadata", "labels", ManagedBy) == Manager ? Owner(slice, "Service") : []);
    }

    protected override void Reconcile(ObjectKey key)
    {
        if (services.Get(key) is not { } service || service.IsBeingDeleted() || service.Text("spec", "type") == "ExternalName" || !service.Pairs("spec", "selector").Any())
        {
            return;
        }

        var members = pods.Items.Where(pod => pod.Namespace() == key.Namespace && Selects(service, pod));
        var wanted = Render(service, members).ToDictionary(slice => slice.Name());
        foreach (var old in Store.List(Kinds.EndpointSlices, key.Namespace).Items.Where(slice =>
            slice.Text("metadata", "labels", ServiceName) == key.Name && slice.Text("metadata", "labels", ManagedBy) == Manager))
        {
            if (!wanted.Remove(old.Name(), out var slice))
            {
                Store.Delete(Kinds.EndpointSlices, key.Namespace, old.Name());
            }
            else if (!JsonNode.DeepEquals(old["endpoints"], slice["endpoints"]) || !JsonNode.DeepEquals(old["metadata"]?["labels"], slice["metadata"]?["labels"]))
            {
                Store.Modify(Kinds.EndpointSlices, key.Namespace, old.Name(), found =>
                {
                    found["endpoints"] = slice["endpoints"]!.DeepClone();
                    found.Ensure("metadata")["labels"] = slice["metadata"]!["labels"]!.DeepClone();
                    return true;
                });
            }
        }

        foreach (var slice in wanted.Values)
        {
            Store.Create(Kinds.EndpointSlices, slice);
        }
    }

    /// <summary>The slices that a service should have; pure.</summary>
    internal static IEnumerable<JsonObject> Render(JsonObject service, IEnumerable<JsonObject> pods)
    {
        var groups = pods
            .Where(pod => pod.Text("status", "podIP") is { Length: > 0 } && pod.Text("status", "phase") is not ("Succeeded" or "Failed"))
            .OrderBy(pod => pod.Name(), StringComparer.Ordinal)
            .Select(pod => (Pod: pod, Ports: Ports(service, pod)))
            .GroupBy(member => member.Ports.ToJsonString());
        foreach (var group in groups)
        {
            yield return Slice(service, group.Key, group.First().Ports, group.Select(member => Endpoint(service, member.Pod)));
        }
    }

    private static bool Selects(JsonObject service, JsonObject pod) =>
        service.Pairs("spec", "selector").Any() && LabelSelector.MatchesMap(service.Pairs("spec", "selector"), pod);

    private static JsonArray Ports(JsonObject service, JsonObject pod)
    {
        var result = new JsonArray();
        foreach (var port in service.Maps("spec", "ports"))
        {
            var protocol = port.Text("protocol") ?? "TCP";
            var target = port.IntOrText("targetPort") ?? port.Number("port")?.ToString() ?? "";
            var number = int.TryParse(target, out var n) ? n : Named(pod, target, protocol);
            if (number is { } resolved)
            {
                var entry = new JsonObject { ["name"] = port.Text("name") ?? "", ["protocol"] = protocol, ["port"] = resolved };
                if (port.Text("appProtocol") is { } application)
                {
                    entry["appProtocol"] = application;
                }

                result.Add((JsonNode)entry);
            }
        }

        return result;
    }

    private static int? Named(JsonObject pod, string name, string protocol) =>
        pod.Maps("spec", "containers").SelectMany(c => c.Maps("ports"))
            .FirstOrDefault(p => p.Text("name") == name && (p.Text("protocol") ?? "TCP") == protocol).Number("containerPort");

    private static JsonObject Slice(JsonObject service, string ports, JsonArray portList, IEnumerable<JsonObject> endpoints)
    {
        var labels = new JsonObject();
        foreach (var (name, value) in service.Pairs("metadata", "labels"))
        {
            labels[name] = value;
        }

        labels[ServiceName] = service.Name();
        labels[ManagedBy] = Manager;
        if (service.Text("spec", "clusterIP") == "None")
        {
            labels["service.kubernetes.io/headless"] = "";
        }

        var digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(service.Uid() + ports)))[..5];
        return new JsonObject
        {
            ["apiVersion"] = "discovery.k8s.io/v1",
            ["kind"] = "EndpointSlice",
            ["metadata"] = new JsonObject
            {
                ["name"] = $"{service.Name()}-{digest}",
                ["namespace"] = service.Namespace(),
                ["labels"] = labels,
                ["ownerReferences"] = new JsonArray(OwnerReference.To(service, "v1", "Service")),
            },
            ["addressType"] = "IPv4",
            ["endpoints"] = new JsonArray([.. endpoints]),
            ["ports"] = portList.DeepClone(),
        };
    }

    private static JsonObject Endpoint(JsonObject service, JsonObject pod)
    {
        var anyway = service.Flag("spec", "publishNotReadyAddresses") == true;
        var serving = anyway || Conditions.Holds(pod, "Ready");
        var terminating = pod.IsBeingDeleted();
        var endpoint = new JsonObject
        {
            ["addresses"] = new JsonArray(pod.Text("status", "podIP")),
            ["conditions"] = new JsonObject
            {
                ["ready"] = anyway || (serving && !terminating),
                ["serving"] = serving,
                ["terminating"] = terminating,
            },
            ["nodeName"] = ClusterLayout.NodeName,
            ["targetRef"] = new JsonObject { ["kind"] = "Pod", ["namespace"] = pod.Namespace(), ["name"] = pod.Name(), ["uid"] = pod.Uid() },
        };
        if (pod.Text("spec", "hostname") is { Length: > 0 } host && pod.Text("spec", "subdomain") == service.Name())
        {
            endpoint["hostname"] = host;
        }

        return endpoint;
    }
}
