using System.Text;
using System.Text.Json;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Kubernetes;

/// <summary>Reads what a server sent, never more than a bound.</summary>
internal static class ResponseBody
{
    /// <summary>A Status is small; an error page of a proxy need not be read to its end.</summary>
    private const int MaxFailure = 64 * 1024;

    /// <exception cref="InvalidDataException">There is more than <paramref name="limit"/> bytes.</exception>
    public static async Task<ReadOnlyMemory<byte>> ReadAsync(HttpResponseMessage response, int limit, CancellationToken cancellationToken)
    {
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        var (body, truncated) = await ReadAsync(stream, limit, cancellationToken);
        return truncated ? throw new InvalidDataException($"it is larger than {limit / 1024 / 1024} MiB") : body;
    }

    /// <summary>The failure that a response with a status outside 2xx tells, with the server's Status when it sent one.</summary>
    /// <param name="limit">When to give up on the server's words and report the code alone.</param>
    public static async Task<KubernetesException> ReadFailureAsync(
        string title, HttpResponseMessage response, CancellationToken limit, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(limit, cancellationToken);
        var code = (int)response.StatusCode;
        ReadOnlyMemory<byte> body;
        try
        {
            await using var stream = await response.Content.ReadAsStreamAsync(stop.Token);
            (body, _) = await ReadAsync(stream, MaxFailure, stop.Token);
        }
        catch (Exception e) when (e is IOException or HttpRequestException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return new KubernetesException(code, response.StatusCode.ToString(), $"{title}: {code}, and the rest of the answer did not come: {e.Message}", inner: e);
        }

        if (ParseStatus(body.Span) is { } status)
        {
            return Failure(title, status, code);
        }

        var text = Encoding.UTF8.GetString(body.Span[..Math.Min(body.Length, 300)]).Trim();
        return new KubernetesException(code, response.StatusCode.ToString(), $"{title}: {code} {response.ReasonPhrase}{(text.Length > 0 ? ": " + text : "")}");
    }

    public static KubernetesException Failure(string title, Status status, int fallbackCode)
    {
        var code = status.Code > 0 ? status.Code : fallbackCode;
        var reason = string.IsNullOrEmpty(status.Reason) ? ((System.Net.HttpStatusCode)code).ToString() : status.Reason;
        return new KubernetesException(code, reason, $"{title}: {status.Message ?? reason} ({code})", status);
    }

    private static Status? ParseStatus(ReadOnlySpan<byte> body)
    {
        try
        {
            return JsonSerializer.Deserialize(body, ModelJson.Of<Status>()) is { Kind: "Status" } status ? status : null;
        }
        catch (JsonException)
        {
            return null; // a proxy's page, or text: the caller quotes it
        }
    }

    private static async Task<(ReadOnlyMemory<byte> Body, bool Truncated)> ReadAsync(Stream stream, int limit, CancellationToken cancellationToken)
    {
        using var body = new MemoryStream();
        var buffer = new byte[16 * 1024];
        while (await stream.ReadAsync(buffer, cancellationToken) is > 0 and var read)
        {
            if (body.Length + read > limit)
            {
                return (body.ToArray(), true);
            }

            body.Write(buffer, 0, read);
        }

        return (body.GetBuffer().AsMemory(0, (int)body.Length), false);
    }
}
