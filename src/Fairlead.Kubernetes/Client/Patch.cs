using System.Text.Json.Nodes;

namespace Fairlead.Kubernetes;

/// <summary>A change to one object, in one of the three formats that the API takes (server-side apply is a method of the client).</summary>
public sealed class Patch
{
    private Patch(string contentType, JsonNode body)
    {
        ContentType = contentType;
        Body = body;
    }

    internal string ContentType { get; }

    internal JsonNode Body { get; }

    /// <summary>RFC 7386: fields replace fields, null removes, lists are replaced whole.</summary>
    public static Patch Merge(JsonObject change) => new("application/merge-patch+json", change);

    /// <summary>RFC 6902: a list of operations, all or none; a <c>test</c> that fails gives 422.</summary>
    public static Patch Json(JsonArray operations) => new("application/json-patch+json", operations);

    /// <summary>A merge that knows the keys of built-in lists (containers by name, ports by number). Not for custom resources (415).</summary>
    public static Patch Strategic(JsonObject change) => new("application/strategic-merge-patch+json", change);
}
