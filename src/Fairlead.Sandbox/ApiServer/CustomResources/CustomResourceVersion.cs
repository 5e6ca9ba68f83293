using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.CustomResources;

/// <summary>One served version of a custom resource: its schema, as the definition gives it.</summary>
internal sealed record CustomResourceVersion(JsonObject Definition, JsonObject Version)
{
    public JsonObject? Schema => Version.Map("schema", "openAPIV3Schema");
}
