using System.Globalization;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Network;
using Fairlead.Sandbox.Objects;

namespace Fairlead.Sandbox.Hosting;

/// <summary>The objects that a cluster has before anybody applies anything: its node and the service of its DNS.</summary>
internal static class ClusterObjects
{
    internal static void Ensure(IObjectStore store, ClusterLayout layout, TimeProvider time)
    {
        Ensure(store, Kinds.Nodes, Node(layout, time));
        (string, string, int)[] dns = [("dns", "UDP", 53), ("dns-tcp", "TCP", 53)];
        Ensure(store, Kinds.Services, Service("kube-system", "kube-dns", ClusterLayout.DnsServiceAddress, dns));
        Ensure(store, Kinds.EndpointSlices, Slice("kube-system", "kube-dns", ClusterLayout.BridgeAddress, dns));
    }

    private static void Ensure(IObjectStore store, ResourceId resource, JsonObject value)
    {
        if (store.Get(resource, value.Text("metadata", "namespace"), value.Name()) is null)
        {
            store.Create(resource, value);
        }
    }

    private static JsonObject Object(string apiVersion, string kind, string? @namespace, string name, JsonObject rest)
    {
        var metadata = new JsonObject { ["name"] = name, ["labels"] = new JsonObject { ["kubernetes.io/metadata.name"] = name } };
        if (@namespace is not null)
        {
            metadata["namespace"] = @namespace;
            metadata.Remove("labels");
        }

        var value = new JsonObject { ["apiVersion"] = apiVersion, ["kind"] = kind, ["metadata"] = metadata };
        foreach (var (key, part) in rest)
        {
            value[key] = part?.DeepClone();
        }

        return value;
    }

    private static JsonObject Service(string @namespace, string name, string address, params (string Name, string Protocol, int Port)[] ports) =>
        Object("v1", "Service", @namespace, name, new JsonObject
        {
            ["spec"] = new JsonObject
            {
                ["type"] = "ClusterIP",
                ["clusterIP"] = address,
                ["clusterIPs"] = new JsonArray(address),
                ["ipFamilies"] = new JsonArray("IPv4"),
                ["ipFamilyPolicy"] = "SingleStack",
                ["internalTrafficPolicy"] = "Cluster",
                ["sessionAffinity"] = "None",
                ["ports"] = new JsonArray([.. ports.Select(p => new JsonObject
                {
                    ["name"] = p.Name, ["protocol"] = p.Protocol, ["port"] = p.Port, ["targetPort"] = p.Name == "https" ? ClusterLayout.ApiPort : p.Port,
                })]),
            },
            ["status"] = new JsonObject { ["loadBalancer"] = new JsonObject() },
        });

    private static JsonObject Slice(string @namespace, string service, string address, params (string Name, string Protocol, int Port)[] ports)
    {
        var slice = Object("discovery.k8s.io/v1", "EndpointSlice", @namespace, service, new JsonObject
        {
            ["addressType"] = "IPv4",
            ["endpoints"] = new JsonArray(new JsonObject { ["addresses"] = new JsonArray(address), ["conditions"] = new JsonObject { ["ready"] = true } }),
            ["ports"] = new JsonArray([.. ports.Select(p => new JsonObject { ["name"] = p.Name, ["protocol"] = p.Protocol, ["port"] = p.Port })]),
        });
        slice.Ensure("metadata")["labels"] = new JsonObject { ["kubernetes.io/service-name"] = service };
        return slice;
    }

    private static JsonObject Node(ClusterLayout layout, TimeProvider time)
    {
        var resources = new JsonObject
        {
            ["cpu"] = Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture),
            ["memory"] = $"{GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 1024}Ki",
            ["pods"] = "1000",
        };
        var status = new JsonObject
        {
            ["capacity"] = resources,
            ["allocatable"] = resources.DeepClone(),
            ["addresses"] = new JsonArray(
                new JsonObject { ["type"] = "InternalIP", ["address"] = layout.NodeAddress.ToString() },
                new JsonObject { ["type"] = "Hostname", ["address"] = ClusterLayout.NodeName }),
            ["nodeInfo"] = new JsonObject
            {
                ["kubeletVersion"] = "v1.32.0+fairlead-sandbox",
                ["kubeProxyVersion"] = "v1.32.0+fairlead-sandbox",
                ["containerRuntimeVersion"] = "sandbox://0.1",
                ["operatingSystem"] = "linux",
                ["architecture"] = System.Runtime.InteropServices.RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "amd64",
                ["kernelVersion"] = Environment.OSVersion.Version.ToString(),
                ["osImage"] = "the host",
                ["machineID"] = "",
                ["systemUUID"] = "",
                ["bootID"] = "",
            },
        };
        Conditions.Set(status, "Ready", true, "KubeletReady", "the sandbox serves this node", time.Timestamp());
        foreach (var condition in status["conditions"]!.AsArray())
        {
            condition!["lastHeartbeatTime"] = time.Timestamp();
        }

        var node = Object("v1", "Node", null, ClusterLayout.NodeName, new JsonObject
        {
            ["spec"] = new JsonObject { ["podCIDR"] = ClusterLayout.PodSubnet, ["podCIDRs"] = new JsonArray(ClusterLayout.PodSubnet) },
            ["status"] = status,
        });
        node.Ensure("metadata")["labels"] = new JsonObject
        {
            ["kubernetes.io/hostname"] = ClusterLayout.NodeName,
            ["kubernetes.io/os"] = "linux",
            ["node-role.kubernetes.io/control-plane"] = "",
        };
        return node;
    }
}
