using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Admission.Defaults;

internal static class CustomResourceDefaults
{
    public static void Definition(JsonObject definition)
    {
        var spec = definition.Ensure("spec");
        if (spec.Map("names") is { } names && names.Text("kind") is { } kind)
        {
            names.Default("listKind", $"{kind}List");
            names.Default("singular", kind.ToLowerInvariant());
        }

        spec.Ensure("conversion").Default("strategy", "None");
    }
}
