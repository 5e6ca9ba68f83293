using System.Collections.Concurrent;
using System.Text.Json;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Kubernetes;

/// <summary>
/// Finds the URL name of a kind (kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api). One answer per group and version
/// is kept; a kind that isn't in it is asked for again, as its CustomResourceDefinition may be new.
/// </summary>
internal sealed class Discovery(KubernetesClient client) : IDisposable
{
    private readonly ConcurrentDictionary<string, IReadOnlyList<ApiResource>> _known = new();
    private readonly SemaphoreSlim _oneRequest = new(1, 1);

    public async Task<(string Plural, bool Namespaced)> FindAsync(string apiVersion, string kind, CancellationToken cancellationToken)
    {
        if (Find(apiVersion, kind) is { } known)
        {
            return (known.Name, known.Namespaced);
        }

        await _oneRequest.WaitAsync(cancellationToken);
        try
        {
            if (Find(apiVersion, kind) is null)
            {
                _known[apiVersion] = await ReadAsync(apiVersion, kind, cancellationToken);
            }
        }
        finally
        {
            _oneRequest.Release();
        }

        return Find(apiVersion, kind) is { } found ? (found.Name, found.Namespaced) : throw NoSuchKind(apiVersion, kind, null);
    }

    public void Dispose() => _oneRequest.Dispose();

    private ApiResource? Find(string apiVersion, string kind) =>
        _known.TryGetValue(apiVersion, out var resources)
            ? resources.FirstOrDefault(r => r.Kind == kind && !r.Name.Contains('/', StringComparison.Ordinal))
            : null;

    private async Task<IReadOnlyList<ApiResource>> ReadAsync(string apiVersion, string kind, CancellationToken cancellationToken)
    {
        var path = (apiVersion.Contains('/', StringComparison.Ordinal) ? "/apis/" : "/api/") + string.Join('/', apiVersion.Split('/').Select(Uri.EscapeDataString));
        try
        {
            return await client.SendAsync(new ApiRequest(HttpMethod.Get, path),
                json => JsonSerializer.Deserialize(json.Span, ModelJson.Of<ApiResourceList>())?.Resources ?? throw new JsonException("null"), cancellationToken);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            throw NoSuchKind(apiVersion, kind, e);
        }
    }

    private static KubernetesException NoSuchKind(string apiVersion, string kind, Exception? inner) =>
        new(404, "NotFound", $"the server has no kind {kind} in {apiVersion}; is its CustomResourceDefinition installed?", inner: inner);
}

internal sealed class ApiResourceList
{
    public IReadOnlyList<ApiResource> Resources { get; set => field = value ?? []; } = [];
}

internal sealed class ApiResource
{
    public string Name { get; set; } = "";

    public string Kind { get; set; } = "";

    public bool Namespaced { get; set; }
}
