using Fairlead.Sandbox.ApiServer.Access;
using Fairlead.Sandbox.ApiServer.Kinds;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Http;

/// <summary>What a URL below /api/v1 or /apis/GROUP/VERSION names, and the verb that method and query make of it.</summary>
internal sealed record ApiRequest(ResourceId Resource, string? Namespace, string Name, string Subresource, string Verb)
{
    /// <summary>The one name that a list or watch asks for by <c>fieldSelector=metadata.name=NAME</c>; a rule's resourceNames cover it.</summary>
    private string SelectedName { get; init; } = "";

    public AccessRequest Access => new(Verb)
    {
        Group = Resource.Group,
        Resource = Resource.Plural,
        Subresource = Subresource,
        // A namespace is looked at with the rights one has inside it.
        Namespace = Resource == BuiltInKinds.Namespaces && Name.Length > 0 ? Name : Namespace,
        Name = Name.Length > 0 ? Name : SelectedName,
    };

    /// <summary>Null when the path is none of a resource.</summary>
    public static ApiRequest? Parse(HttpRequest request)
    {
        var parts = (request.Path.Value ?? "").Split('/', StringSplitOptions.RemoveEmptyEntries);
        var (group, version, rest) = parts switch
        {
            ["api", "v1", .. var core] => ("", "v1", core),
            ["apis", var named, var number, .. var grouped] => (named, number, grouped),
            _ => ("", "", []),
        };
        string? @namespace = null;
        if (group.Length == 0 && rest is ["namespaces", var self, .. var after] && after is [] or ["status" or "finalize"])
        {
            return Of("namespaces", null, [self, .. after]);
        }

        if (rest is ["namespaces", var name, .. var inside] && (inside.Length > 0 || group.Length > 0))
        {
            (@namespace, rest) = (name, inside);
        }

        return rest is [var plural, .. var tail] && tail.Length <= 2 ? Of(plural, @namespace, tail) : null;

        ApiRequest Of(string plural, string? where, string[] tail) =>
            new(
                new ResourceId(group, version, plural),
                where,
                tail.ElementAtOrDefault(0) ?? "",
                tail.ElementAtOrDefault(1) ?? "",
                VerbOf(request, tail.Length > 0))
            {
                SelectedName = NameSelectedBy(request.Query["fieldSelector"].ToString()),
            };
    }

    private static string NameSelectedBy(string fieldSelector)
    {
        const string field = "metadata.name=";
        return fieldSelector.Split(',').FirstOrDefault(term => term.StartsWith(field, StringComparison.Ordinal))?[field.Length..].TrimStart('=') ?? "";
    }

    private static string VerbOf(HttpRequest request, bool named) => request.Method switch
    {
        "GET" or "HEAD" => request.Query["watch"].ToString() is "true" or "1" ? "watch" : named ? "get" : "list",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => named ? "delete" : "deletecollection",
        _ => request.Method.ToLowerInvariant(),
    };
}
