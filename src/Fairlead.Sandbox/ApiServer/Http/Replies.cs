using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Http;

/// <summary>Answers on the wire.</summary>
internal static class Replies
{
    public static Task ReplyAsync(this HttpResponse response, int code, JsonObject body, CancellationToken cancellationToken)
    {
        response.StatusCode = code;
        return response.ReplyAsync(writer => body.WriteTo(writer), cancellationToken);
    }

    /// <summary>JSON written straight from the store's objects, which are shared and so can't be put into another tree.</summary>
    public static async Task ReplyAsync(this HttpResponse response, Action<Utf8JsonWriter> write, CancellationToken cancellationToken)
    {
        response.ContentType = "application/json";
        await using (var writer = new Utf8JsonWriter(response.BodyWriter, JsonText.WriteOptions))
        {
            write(writer);
        }

        await response.BodyWriter.FlushAsync(cancellationToken);
    }

    public static Task ReplyAsync(this HttpResponse response, StatusException failure, CancellationToken cancellationToken)
    {
        response.Clear();
        if (failure.Code == 429)
        {
            response.Headers.RetryAfter = "10";
        }

        return response.ReplyAsync(failure.Code, failure.ToStatus(), cancellationToken);
    }

    public static Task ReplyTextAsync(this HttpResponse response, string text, CancellationToken cancellationToken)
    {
        response.ContentType = "text/plain; charset=utf-8";
        return response.WriteAsync(text, cancellationToken);
    }

    /// <summary>What kubectl prints as <c>Warning: …</c> (RFC 9111 §5.5, code 299).</summary>
    public static void Warn(this HttpResponse response, string text) =>
        response.Headers.Append("Warning", $"299 - \"{text.Replace("\\", "\\\\").Replace("\"", "\\\"").ReplaceLineEndings(" ")}\"");
}
