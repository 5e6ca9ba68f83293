using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Admission.Defaults;

internal static class ServiceDefaults
{
    public static void Service(JsonObject service)
    {
        var spec = service.Ensure("spec");
        spec.Default("type", "ClusterIP");
        spec.Default("sessionAffinity", "None");
        if (spec.Text("sessionAffinity") == "ClientIP")
        {
            spec.Ensure("sessionAffinityConfig").Ensure("clientIP").Default("timeoutSeconds", 10_800);
        }

        foreach (var port in spec.Maps("ports"))
        {
            port.Default("protocol", "TCP");
            port.Default("targetPort", port["port"]?.DeepClone());
        }

        if (spec.Text("type") != "ExternalName")
        {
            spec.Default("internalTrafficPolicy", "Cluster");
        }

        if (spec.Text("type") is "NodePort" or "LoadBalancer")
        {
            spec.Default("externalTrafficPolicy", "Cluster");
        }

        if (spec.Text("type") == "LoadBalancer")
        {
            spec.Default("allocateLoadBalancerNodePorts", true);
        }

        service.Ensure("status").Default("loadBalancer", new JsonObject());
    }
}
