using System.Net;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Access;
using Fairlead.Sandbox.ApiServer.Admission;
using Fairlead.Sandbox.ApiServer.Kinds;

namespace Fairlead.Sandbox.ApiServer;

/// <summary>The objects that every cluster has from its first moment.</summary>
internal sealed class ClusterBootstrap(IObjectStore store, ObjectWriter writer, NamespaceAdmission namespaces)
{
    public void Run(IPEndPoint server, IPAddress serviceAddress)
    {
        BootstrapPolicy.Establish(store);
        foreach (var name in (string[])["default", "kube-node-lease", "kube-public", "kube-system"])
        {
            Ensure(BuiltInKinds.Namespaces, new JsonObject { ["metadata"] = new JsonObject { ["name"] = name } });
            namespaces.Furnish(name); // It may have been there before this server.
        }

        Ensure(BuiltInKinds.Services, new JsonObject
        {
            ["metadata"] = Metadata(),
            ["spec"] = new JsonObject
            {
                ["clusterIP"] = serviceAddress.ToString(),
                ["ports"] = new JsonArray(new JsonObject { ["name"] = "https", ["port"] = 443, ["protocol"] = "TCP", ["targetPort"] = server.Port }),
            },
        });
        var metadata = Metadata();
        metadata["labels"] = new JsonObject { ["kubernetes.io/service-name"] = "kubernetes" };
        if (store.Get(BuiltInKinds.EndpointSlices, metadata.Text("namespace"), metadata.Text("name")!) is not null)
        {
            return;
        }

        // Straight into the store: a server that listens on loopback, as in tests, says so here although no client may.
        store.Create(BuiltInKinds.EndpointSlices, new JsonObject
        {
            ["apiVersion"] = "discovery.k8s.io/v1",
            ["kind"] = "EndpointSlice",
            ["metadata"] = metadata,
            ["addressType"] = "IPv4",
            ["endpoints"] = new JsonArray(new JsonObject
            {
                ["addresses"] = new JsonArray(server.Address.ToString()),
                ["conditions"] = new JsonObject { ["ready"] = true },
            }),
            ["ports"] = new JsonArray(new JsonObject { ["name"] = "https", ["port"] = server.Port, ["protocol"] = "TCP" }),
        });
    }

    private static JsonObject Metadata() => new()
    {
        ["name"] = "kubernetes",
        ["namespace"] = "default",
        ["labels"] = new JsonObject { ["component"] = "apiserver", ["provider"] = "kubernetes" },
    };

    private void Ensure(ResourceId resource, JsonObject value)
    {
        if (store.Get(resource, value.Namespace(), value.Name()) is null)
        {
            writer.Create(BuiltInKinds.All.First(kind => kind.Id == resource), value);
        }
    }
}
