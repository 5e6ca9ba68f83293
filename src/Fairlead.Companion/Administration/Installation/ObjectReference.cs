using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Fairlead.Companion.Administration.Installation;

/// <summary>Names one object of the API.</summary>
/// <param name="Namespace">Null for a cluster-scoped one.</param>
internal sealed record ObjectReference(string ApiVersion, string Kind, string? Namespace, string Name)
{
    /// <summary>In the API's URLs and in rules of RBAC; of the kinds that an installation has.</summary>
    public string Plural => Kind switch
    {
        "Ingress" => "ingresses",
        "NetworkPolicy" => "networkpolicies",
        _ => Kind.ToLowerInvariant() + "s",
    };

    public string Group => ApiVersion.Contains('/', StringComparison.Ordinal) ? ApiVersion[..ApiVersion.IndexOf('/', StringComparison.Ordinal)] : "";

    public static ObjectReference Of(JsonObject value) => new(
        value["apiVersion"]!.GetValue<string>(), value["kind"]!.GetValue<string>(), value["metadata"]!["namespace"]?.GetValue<string>(), value["metadata"]!["name"]!.GetValue<string>());

    public JsonObject ToJson()
    {
        var metadata = new JsonObject { ["name"] = Name };
        if (Namespace is not null)
        {
            metadata["namespace"] = Namespace;
        }

        return new JsonObject { ["apiVersion"] = ApiVersion, ["kind"] = Kind, ["metadata"] = metadata };
    }

    public override string ToString() => Namespace is null ? $"{Kind} {Name}" : $"{Kind} {Namespace}/{Name}";
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(IReadOnlyList<ObjectReference>))]
internal sealed partial class ReleaseJson : JsonSerializerContext;
