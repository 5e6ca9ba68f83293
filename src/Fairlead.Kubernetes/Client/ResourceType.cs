using System.Text;
using System.Text.Json.Serialization.Metadata;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Kubernetes;

/// <summary>
/// One kind of object and where the API serves it. Ready ones: <see cref="Resources"/>. For a custom resource give the
/// <see cref="JsonTypeInfo{T}"/> of a source-generated context with camelCase names that ignores null when writing.
/// </summary>
/// <param name="Group">API group; the core group is the empty string.</param>
/// <param name="Plural">Name in the URL, such as <c>endpointslices</c>.</param>
public sealed record ResourceType<T>(string Group, string Version, string Plural, bool Namespaced, string Kind, JsonTypeInfo<T> Json)
    where T : KubeObject
{
    /// <summary><c>v1</c> or <c>apps/v1</c>: the <c>apiVersion</c> of an object.</summary>
    public string ApiVersion { get; } = Group.Length == 0 ? Version : $"{Group}/{Version}";

    /// <summary>URL path of a collection (all namespaces when <paramref name="ns"/> is null).</summary>
    internal string CollectionPath(string? ns) => ResourcePath.Of(ApiVersion, Plural, Namespaced ? ns : null);

    /// <summary>URL path of one object, or of a subresource of it.</summary>
    /// <exception cref="ArgumentException">No name, or no namespace for a namespaced kind.</exception>
    internal string ObjectPath(string? ns, string name, string? subresource = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (Namespaced && string.IsNullOrEmpty(ns))
        {
            throw new ArgumentException($"{Kind} is namespaced: a namespace is needed", nameof(ns));
        }

        return ResourcePath.Of(ApiVersion, Plural, Namespaced ? ns : null, name, subresource);
    }
}

/// <summary>URL paths of the Kubernetes API (kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris).</summary>
internal static class ResourcePath
{
    public static string Of(string apiVersion, string plural, string? ns, string? name = null, string? subresource = null)
    {
        var path = new StringBuilder(apiVersion.Contains('/', StringComparison.Ordinal) ? "/apis/" : "/api/").Append(apiVersion);
        if (ns is not null)
        {
            path.Append("/namespaces/").Append(Uri.EscapeDataString(ns));
        }

        path.Append('/').Append(plural);
        if (name is not null)
        {
            path.Append('/').Append(Uri.EscapeDataString(name));
        }

        if (subresource is not null)
        {
            path.Append('/').Append(subresource);
        }

        return path.ToString();
    }

    /// <summary>Adds a query of the pairs whose value isn't null.</summary>
    public static string WithQuery(string path, params ReadOnlySpan<(string Name, string? Value)> query)
    {
        var text = new StringBuilder(path);
        var separator = '?';
        foreach (var (name, value) in query)
        {
            if (value is not null)
            {
                text.Append(separator).Append(name).Append('=').Append(Uri.EscapeDataString(value));
                separator = '&';
            }
        }

        return text.ToString();
    }
}
