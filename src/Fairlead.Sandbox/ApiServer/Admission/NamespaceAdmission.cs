using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Kinds;

namespace Fairlead.Sandbox.ApiServer.Admission;

/// <summary>Objects live in namespaces that exist; each namespace starts with what pods in it need.</summary>
internal sealed class NamespaceAdmission(IObjectStore store, string authorityPem)
{
    private static readonly string[] Permanent = ["default", "kube-public", "kube-system"];

    /// <exception cref="StatusException">404: no such namespace; 403: it is being deleted.</exception>
    public void AdmitNew(ResourceKind kind, JsonObject value)
    {
        var name = value.Namespace()!;
        var @namespace = store.Get(BuiltInKinds.Namespaces, null, name) ?? throw Failures.NotFound(BuiltInKinds.Namespaces, name);
        if (@namespace.IsBeingDeleted())
        {
            throw Failures.Forbidden(
                kind.Id, value.Name(), $"unable to create new content in namespace {name} because it is being terminated");
        }
    }

    /// <exception cref="StatusException">403: the cluster needs it.</exception>
    public static void AdmitDelete(string name)
    {
        if (Permanent.Contains(name))
        {
            throw Failures.Forbidden(BuiltInKinds.Namespaces, name, "this namespace may not be deleted");
        }
    }

    /// <summary>The default account, and the CA that in-cluster clients check the API server with.</summary>
    public void Furnish(string name)
    {
        Ensure(BuiltInKinds.ServiceAccounts, new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "ServiceAccount",
            ["metadata"] = new JsonObject { ["name"] = "default", ["namespace"] = name },
        });
        Ensure(BuiltInKinds.ConfigMaps, new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "ConfigMap",
            ["metadata"] = new JsonObject { ["name"] = "kube-root-ca.crt", ["namespace"] = name },
            ["data"] = new JsonObject { ["ca.crt"] = authorityPem },
        });
    }

    private void Ensure(ResourceId resource, JsonObject value)
    {
        if (store.Get(resource, value.Namespace(), value.Name()) is null)
        {
            store.Create(resource, value);
        }
    }
}
