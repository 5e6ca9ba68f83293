using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Daemon.Spaces;

/// <summary>Calls to a gateway's API; whatever goes wrong is told as a <see cref="FairleadException"/>.</summary>
internal static class GatewayClient
{
    /// <summary>Far above any answer but the catalog, which is read as a stream.</summary>
    private const int MaxAnswer = 1 << 20;

    /// <summary>Of what a gateway says to a person.</summary>
    private const int MaxSentence = 500;

    public static async Task<TAnswer> PostAsync<TRequest, TAnswer>(
        HttpClient client, string path, TRequest body, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<TAnswer> answerType, CancellationToken cancellationToken)
    {
        using var content = JsonContent.Create(body, requestType);
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = content, Version = client.DefaultRequestVersion, VersionPolicy = client.DefaultVersionPolicy };
        using var response = await SendAsync(client, request, cancellationToken);
        var answer = await ReadAsync(response, cancellationToken);
        try
        {
            return JsonSerializer.Deserialize(answer, answerType) ?? throw NotUnderstood(path);
        }
        catch (JsonException e)
        {
            throw NotUnderstood(path, e);
        }
    }

    /// <summary>The catalog's stream; the caller disposes the response.</summary>
    public static Task<HttpResponseMessage> WatchCatalogAsync(HttpClient client, string? since, bool addresses, CancellationToken cancellationToken)
    {
        var path = $"{GatewayApi.Catalog}?gateway=true{(addresses ? "&addresses=true" : "")}{(since is null ? "" : $"&since={Uri.EscapeDataString(since)}")}";
        return SendAsync(client, new HttpRequestMessage(HttpMethod.Get, path) { Version = client.DefaultRequestVersion, VersionPolicy = client.DefaultVersionPolicy }, cancellationToken);
    }

    /// <summary>A message to the cluster's DNS and its answer (RFC 8484).</summary>
    /// <exception cref="FairleadException"/>
    public static async Task<byte[]> AskDnsAsync(HttpClient client, byte[] message, CancellationToken cancellationToken)
    {
        using var content = new ByteArrayContent(message);
        content.Headers.ContentType = new("application/dns-message");
        using var request = new HttpRequestMessage(HttpMethod.Post, GatewayApi.DnsQuery) { Content = content, Version = client.DefaultRequestVersion, VersionPolicy = client.DefaultVersionPolicy };
        using var response = await SendAsync(client, request, cancellationToken);
        return await ReadAsync(response, cancellationToken);
    }

    /// <summary>When the gateway's clock said so, or null.</summary>
    public static async Task<DateTimeOffset?> GetClockAsync(HttpClient client, CancellationToken cancellationToken)
    {
        // A small answer that needs no certificate; any answer carries the date (RFC 9110 §6.6.1).
        using var request = new HttpRequestMessage(HttpMethod.Get, GatewayApi.Authority) { Version = client.DefaultRequestVersion, VersionPolicy = client.DefaultVersionPolicy };
        try
        {
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            return response.Headers.Date;
        }
        catch (HttpRequestException e)
        {
            throw Unreachable(e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw Late(e);
        }
    }

    /// <summary>The client's own patience ended.</summary>
    private static FairleadException Late(OperationCanceledException e) =>
        new(ErrorCategory.TimedOut, "gateway-timeout", "The gateway did not answer in time", "it took the request and said nothing, or a firewall drops what is sent to it", "Run 'fairlead doctor'.", e);

    private static async Task<HttpResponseMessage> SendAsync(HttpClient client, HttpRequestMessage request, CancellationToken cancellationToken)
    {
        HttpResponseMessage response;
        try
        {
            response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        }
        catch (HttpRequestException e)
        {
            throw Unreachable(e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw Late(e);
        }

        if (response.IsSuccessStatusCode)
        {
            return response;
        }

        using (response)
        {
            throw Failure(response.StatusCode, await ReadAsync(response, cancellationToken));
        }
    }

    private static FairleadException Unreachable(HttpRequestException e)
    {
        for (Exception? inner = e; inner is not null; inner = inner.InnerException)
        {
            if (inner is FairleadException known)
            {
                return known;
            }
        }

        return new FairleadException(ErrorCategory.NotConnected, "gateway-unreachable", "The gateway can't be reached", e.InnerException?.Message ?? e.Message, "Check the network, then run 'fairlead doctor'.", e);
    }

    private static FairleadException Failure(HttpStatusCode status, ReadOnlySpan<byte> body)
    {
        try
        {
            if (JsonSerializer.Deserialize(body, GatewayJson.Default.ErrorResponse) is { } answer)
            {
                return new FairleadException(answer.Error with { Code = Clean(answer.Error.Code)!, Message = Clean(answer.Error.Message)!, Why = Clean(answer.Error.Why), Hint = Clean(answer.Error.Hint) });
            }
        }
        catch (JsonException)
        {
            // No error of ours: something else answered, or a gateway of another version; the status says what is known.
        }

        return status switch
        {
            HttpStatusCode.NotFound or HttpStatusCode.HttpVersionNotSupported => new FairleadException(
                ErrorCategory.Failed, "gateway-version", "The gateway does not know this request", "it is probably of another version of Fairlead", "Use the version of 'fairlead' that your admin installed in the cluster."),
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => new FairleadException(
                ErrorCategory.Denied, "gateway-denied", "The gateway refuses us", $"it answered {(int)status}", "Ask whoever invited you for a new token."),
            _ => new FairleadException(ErrorCategory.Failed, "gateway-failed", "The gateway failed", $"it answered {(int)status}", "Try again; if it stays so, tell whoever runs the gateway."),
        };
    }

    /// <summary>It ends up on somebody's terminal: one short line, no control characters.</summary>
    private static string? Clean(string? text) => text is null
        ? null
        : string.Concat(text.Take(MaxSentence).Select(c => char.IsControl(c) ? ' ' : c));

    private static async Task<byte[]> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            await response.Content.LoadIntoBufferAsync(MaxAnswer, cancellationToken);
            return await response.Content.ReadAsByteArrayAsync(cancellationToken);
        }
        catch (HttpRequestException e)
        {
            throw new FairleadException(ErrorCategory.NotConnected, "gateway-unreachable", "The gateway's answer could not be read", e.Message, inner: e);
        }
    }

    private static FairleadException NotUnderstood(string path, Exception? inner = null) => new(
        ErrorCategory.Failed, "gateway-version", "The gateway's answer makes no sense", $"its answer to {path} is not what this version expects", "Compare 'fairlead version' with the gateway's version.", inner);
}
