using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Kinds;

namespace Fairlead.Sandbox.ApiServer.CustomResources;

/// <summary>A definition is established at once, and goes when the last of its objects has gone.</summary>
internal sealed class DefinitionLifecycle(IObjectStore store, TimeProvider time)
{
    private const string Finalizer = "customresourcecleanup.apiextensions.k8s.io";

    public void AdmitNew(JsonObject definition)
    {
        var spec = definition.Ensure("spec");
        var finalizers = definition.Texts("metadata", "finalizers").Append(Finalizer).Distinct();
        definition.Metadata()["finalizers"] = new JsonArray([.. finalizers.Select(name => JsonValue.Create(name))]);
        definition["status"] = new JsonObject
        {
            ["acceptedNames"] = spec["names"]?.DeepClone(),
            ["conditions"] = new JsonArray(
                Condition("NamesAccepted", "NoConflicts", "no conflicts found"),
                Condition("Established", "InitialNamesAccepted", "the initial names have been accepted")),
            ["storedVersions"] = new JsonArray(
                [.. spec.Maps("versions").Where(version => version.Flag("storage") == true).Select(version => version["name"]?.DeepClone())]),
        };
    }

    /// <summary>Deletes the definition's objects, which may take as long as their finalizers do.</summary>
    public void DefinitionDeleted(JsonObject definition)
    {
        var resource = StorageOf(definition);
        foreach (var instance in store.List(resource).Items)
        {
            store.Delete(resource, instance.Namespace(), instance.Name());
        }

        FinishWhenEmpty(definition);
    }

    public void InstanceRemoved(ResourceKind kind)
    {
        if (store.Get(BuiltInKinds.CustomResourceDefinitions, null, kind.Custom!.Definition.Name()) is { } definition && definition.IsBeingDeleted())
        {
            FinishWhenEmpty(definition);
        }
    }

    private void FinishWhenEmpty(JsonObject definition)
    {
        if (!definition.Texts("metadata", "finalizers").Contains(Finalizer) || store.List(StorageOf(definition)).Items.Count > 0)
        {
            return;
        }

        try
        {
            store.Modify(BuiltInKinds.CustomResourceDefinitions, null, definition.Name(), current =>
            {
                var rest = current.Texts("metadata", "finalizers").Where(name => name != Finalizer);
                current.Metadata()["finalizers"] = new JsonArray([.. rest.Select(name => JsonValue.Create(name))]);
                return true;
            });
        }
        catch (StatusException failure) when (failure.Code == 404)
        {
            // Another request removed the last object at the same moment.
        }
    }

    private static ResourceId StorageOf(JsonObject definition)
    {
        var storage = definition.Maps("spec", "versions").First(version => version.Flag("storage") == true);
        return new ResourceId(definition.Text("spec", "group")!, storage.Text("name")!, definition.Text("spec", "names", "plural")!);
    }

    private JsonObject Condition(string type, string reason, string message) => new()
    {
        ["type"] = type,
        ["status"] = "True",
        ["lastTransitionTime"] = time.GetUtcNow().ToTimestamp(),
        ["reason"] = reason,
        ["message"] = message,
    };
}
