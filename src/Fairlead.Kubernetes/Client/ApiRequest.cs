namespace Fairlead.Kubernetes;

/// <summary>A request in a form that can be sent again.</summary>
/// <param name="Path">Path and query, from the root of the server.</param>
/// <param name="Body">UTF-8 JSON, or null.</param>
internal sealed record ApiRequest(HttpMethod Method, string Path, byte[]? Body = null, string ContentType = "application/json")
{
    /// <summary>How long the server may take to begin its answer, and again to complete it; a stream only has to begin.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Method and path without the query, for messages.</summary>
    public string Title => $"{Method} {(Path.IndexOf('?', StringComparison.Ordinal) is >= 0 and var end ? Path[..end] : Path)}";
}
