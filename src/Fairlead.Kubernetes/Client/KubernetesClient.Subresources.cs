using System.Text.Json;
using System.Text.Json.Nodes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Kubernetes;

public sealed partial class KubernetesClient
{
    /// <summary>Replaces the status of an object and nothing else of it.</summary>
    public Task<T> ReplaceStatusAsync<T>(ResourceType<T> type, T value, CancellationToken cancellationToken = default)
        where T : KubeObject => ReplaceSubresourceAsync(type, value, "status", cancellationToken);

    /// <summary>Replaces a subresource that takes and answers the object itself: <c>status</c>, <c>approval</c>.</summary>
    public Task<T> ReplaceSubresourceAsync<T>(ResourceType<T> type, T value, string subresource, CancellationToken cancellationToken = default)
        where T : KubeObject =>
        SendAsync(new ApiRequest(HttpMethod.Put, type.ObjectPath(NamespaceOf(type, value), NameOf(value), subresource), Body(type, value)), type, cancellationToken);

    /// <summary>Whether the API server's authorizers let somebody do something; without a user in <paramref name="spec"/>, whether they let us.</summary>
    public Task<SubjectAccessReviewStatus> ReviewAccessAsync(SubjectAccessReviewSpec spec, CancellationToken cancellationToken = default)
    {
        var (kind, plural) = spec.User is null ? ("SelfSubjectAccessReview", "selfsubjectaccessreviews") : ("SubjectAccessReview", "subjectaccessreviews");
        var review = new SubjectAccessReview { ApiVersion = "authorization.k8s.io/v1", Kind = kind, Spec = spec };
        var body = JsonSerializer.SerializeToUtf8Bytes(review, ModelJson.Of<SubjectAccessReview>());
        return SendAsync(new ApiRequest(HttpMethod.Post, ResourcePath.Of(review.ApiVersion, plural, null), body),
            json => JsonSerializer.Deserialize(json.Span, ModelJson.Of<SubjectAccessReview>())?.Status ?? throw new JsonException("no status"), cancellationToken);
    }

    /// <summary>Patches a subresource that answers with the object itself: <c>status</c>, <c>ephemeralcontainers</c>; null is the object.</summary>
    public Task<T> PatchSubresourceAsync<T>(
        ResourceType<T> type, string? ns, string name, string? subresource, Patch patch, CancellationToken cancellationToken = default)
        where T : KubeObject =>
        SendAsync(new ApiRequest(HttpMethod.Patch, type.ObjectPath(ns, name, subresource), ToUtf8(patch.Body), patch.ContentType), type, cancellationToken);

    /// <summary>How many replicas are wanted and are there, for any kind with a scale subresource.</summary>
    public Task<Scale> GetScaleAsync<T>(ResourceType<T> type, string? ns, string name, CancellationToken cancellationToken = default)
        where T : KubeObject =>
        SendAsync(new ApiRequest(HttpMethod.Get, type.ObjectPath(ns, name, "scale")), ParseScale, cancellationToken);

    /// <summary>Asks for a number of replicas.</summary>
    public Task<Scale> SetScaleAsync<T>(ResourceType<T> type, string? ns, string name, int replicas, CancellationToken cancellationToken = default)
        where T : KubeObject
    {
        var patch = Patch.Merge(new JsonObject { ["spec"] = new JsonObject { ["replicas"] = replicas } });
        return SendAsync(new ApiRequest(HttpMethod.Patch, type.ObjectPath(ns, name, "scale"), ToUtf8(patch.Body), patch.ContentType), ParseScale, cancellationToken);
    }

    /// <summary>A token of a service account for the given audiences (none: the API server itself), valid for about <paramref name="lifetime"/> (at least 10 min).</summary>
    public async Task<TokenRequestStatus> CreateTokenAsync(
        string ns, string serviceAccount, IReadOnlyList<string> audiences, TimeSpan lifetime, CancellationToken cancellationToken = default)
    {
        var request = new TokenRequest
        {
            ApiVersion = "authentication.k8s.io/v1",
            Kind = "TokenRequest",
            Spec = new TokenRequestSpec { Audiences = audiences, ExpirationSeconds = (long)lifetime.TotalSeconds },
        };
        var path = Resources.ServiceAccounts.ObjectPath(ns, serviceAccount, "token");
        var body = JsonSerializer.SerializeToUtf8Bytes(request, ModelJson.Of<TokenRequest>());
        return await SendAsync(new ApiRequest(HttpMethod.Post, path, body),
            json => JsonSerializer.Deserialize(json.Span, ModelJson.Of<TokenRequest>())?.Status ?? throw new JsonException("no status"), cancellationToken);
    }

    /// <summary>The log of a container, as bytes. With <see cref="LogOptions.Follow"/> it ends when the container does. The caller disposes it.</summary>
    public Task<Stream> ReadLogAsync(string ns, string pod, LogOptions options, CancellationToken cancellationToken = default)
    {
        var path = ResourcePath.WithQuery(Resources.Pods.ObjectPath(ns, pod, "log"),
            ("container", options.Container), ("follow", options.Follow ? "true" : null), ("previous", options.Previous ? "true" : null),
            ("timestamps", options.Timestamps ? "true" : null), ("tailLines", options.TailLines?.ToString()), ("sinceSeconds", options.SinceSeconds?.ToString()));
        return OpenStreamAsync(new ApiRequest(HttpMethod.Get, path), cancellationToken);
    }

    /// <summary>The body of a successful answer as it comes; disposing it ends the request.</summary>
    internal async Task<Stream> OpenStreamAsync(ApiRequest request, CancellationToken cancellationToken)
    {
        var response = await _transport.SendAsync(request, cancellationToken);
        try
        {
            await ThrowOnFailureAsync(request, response, cancellationToken);

            // Disposing the content's stream releases the connection; nothing else of the response needs it.
            return await response.Content.ReadAsStreamAsync(cancellationToken);
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    private static Scale ParseScale(ReadOnlyMemory<byte> json) =>
        JsonSerializer.Deserialize(json.Span, ModelJson.Of<Scale>()) ?? throw new JsonException("null");
}

/// <param name="Container">Needed when the pod has several.</param>
/// <param name="Follow">Keep the stream open until the container ends.</param>
/// <param name="Previous">The run before the last restart.</param>
/// <param name="TailLines">Only so many of the last lines.</param>
/// <param name="SinceSeconds">Only what is younger.</param>
public sealed record LogOptions(
    string? Container = null, bool Follow = false, bool Previous = false, bool Timestamps = false, int? TailLines = null, int? SinceSeconds = null);
