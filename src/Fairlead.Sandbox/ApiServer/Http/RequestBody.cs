using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Messages;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Http;

/// <summary>Bodies of requests, bounded and checked; JSON or, from typed clients, protobuf.</summary>
internal static class RequestBody
{
    /// <summary>As the real API server: the largest object that its store takes, twice.</summary>
    public const long SizeLimit = 3 * 1024 * 1024;

    public static string MediaType(this HttpRequest request)
    {
        var type = request.ContentType ?? "";
        var end = type.IndexOf(';');
        return (end < 0 ? type : type[..end]).Trim().ToLowerInvariant();
    }

    /// <exception cref="StatusException">400: it can't be read; 413: too large.</exception>
    public static async Task<JsonNode?> ReadJsonAsync(this HttpRequest request, CancellationToken cancellationToken)
    {
        var body = await request.ReadAllAsync(cancellationToken);
        try
        {
            if (request.MediaType() == ProtobufObject.MediaType)
            {
                return ProtobufObject.Decode(body);
            }

            return body.Length == 0 ? null : JsonText.Parse(body);
        }
        catch (JsonException failure)
        {
            throw Failures.BadRequest($"the body of the request is no valid JSON: {failure.Message}");
        }
    }

    /// <exception cref="StatusException">400: no JSON object; 413: too large; 415: not JSON.</exception>
    public static async Task<JsonObject> ReadObjectAsync(this HttpRequest request, CancellationToken cancellationToken)
    {
        if (request.MediaType() is not ("" or "application/json" or ProtobufObject.MediaType))
        {
            throw Failures.UnsupportedMediaType(request.MediaType(), $"application/json, {ProtobufObject.MediaType}");
        }

        return await request.ReadJsonAsync(cancellationToken) as JsonObject ?? throw Failures.BadRequest("the body of the request must be an object");
    }

    public static async Task<byte[]> ReadAllAsync(this HttpRequest request, CancellationToken cancellationToken)
    {
        // Consumed as it comes: with HTTP/2 the client may send more than a window only then.
        var body = new ArrayBufferWriter<byte>();
        while (await request.Body.ReadAsync(body.GetMemory(16 * 1024), cancellationToken) is > 0 and var count)
        {
            body.Advance(count);
            if (body.WrittenCount > SizeLimit)
            {
                throw new StatusException(413, "RequestEntityTooLarge", $"Request entity too large: limit is {SizeLimit}");
            }
        }

        return body.WrittenSpan.ToArray();
    }
}
