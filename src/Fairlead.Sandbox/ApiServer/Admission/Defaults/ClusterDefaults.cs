using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Admission.Defaults;

internal static class ClusterDefaults
{
    /// <summary>The finalizer keeps a deleted namespace until the namespace controller has emptied it.</summary>
    public static void Namespace(JsonObject @namespace)
    {
        @namespace.Metadata().Ensure("labels")["kubernetes.io/metadata.name"] = @namespace.Name();
        @namespace.Ensure("status").Default("phase", "Active");
        if (!@namespace.IsBeingDeleted())
        {
            @namespace.Ensure("spec").Default("finalizers", new JsonArray("kubernetes"));
        }
    }
}
