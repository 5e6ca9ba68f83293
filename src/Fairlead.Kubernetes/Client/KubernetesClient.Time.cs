namespace Fairlead.Kubernetes;

public sealed partial class KubernetesClient
{
    /// <summary>What time the API server says it is (the Date of an answer, whole seconds), for records that must not depend on this machine's clock.</summary>
    public async Task<DateTimeOffset> GetServerTimeAsync(CancellationToken cancellationToken = default)
    {
        using var response = await _transport.SendAsync(new ApiRequest(HttpMethod.Get, "/version"), cancellationToken);
        return response.Headers.Date ?? throw new KubernetesException(0, KubernetesException.Malformed, "GET /version: the answer has no Date");
    }
}
