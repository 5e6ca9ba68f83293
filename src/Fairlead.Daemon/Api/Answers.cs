using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Fairlead.Daemon.Api;

/// <summary>How requests of the local API are read and answered.</summary>
internal static class Answers
{
    /// <summary>A token or a thousand rules; bodies beyond it are refused by Kestrel.</summary>
    public const int MaxBody = 1 << 20;

    /// <summary>States are folded to at most one in this time for each watcher.</summary>
    private static readonly TimeSpan WatchInterval = TimeSpan.FromMilliseconds(50);

    private static readonly byte[] NewLine = "\n"u8.ToArray();

    public static int StatusOf(ErrorCategory category) => category switch
    {
        ErrorCategory.Usage => StatusCodes.Status400BadRequest,
        ErrorCategory.NotConnected => StatusCodes.Status503ServiceUnavailable,
        ErrorCategory.Denied => StatusCodes.Status403Forbidden,
        ErrorCategory.Conflict => StatusCodes.Status409Conflict,
        ErrorCategory.TimedOut => StatusCodes.Status504GatewayTimeout,
        _ => StatusCodes.Status500InternalServerError,
    };

    public static Task WriteAsync<T>(HttpContext context, T value, JsonTypeInfo<T> type) =>
        context.Response.WriteAsJsonAsync(value, type, "application/json", context.RequestAborted);

    public static Task WriteErrorAsync(HttpContext context, ErrorInfo error)
    {
        context.Response.StatusCode = StatusOf(error.Category);
        return WriteAsync(context, new ErrorResponse(error), LocalJson.Default.ErrorResponse);
    }

    /// <summary>The state once, or with <c>watch=true</c> now and each time it changed, as one line each.</summary>
    /// <param name="changed">What may change it.</param>
    public static async Task WriteStateAsync<T>(
        HttpContext context, Func<T> read, JsonTypeInfo<T> type, TimeProvider time, IReadOnlyList<Signal> changed, CancellationToken stopping)
    {
        if (context.Request.Query["watch"] != "true")
        {
            await WriteAsync(context, read(), type);
            return;
        }

        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        context.Response.ContentType = "application/x-ndjson";
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        byte[] last = [];
        while (!either.IsCancellationRequested)
        {
            var seen = changed.Select(signal => signal.Version).ToArray();
            var state = JsonSerializer.SerializeToUtf8Bytes(read(), type);
            if (!state.AsSpan().SequenceEqual(last))
            {
                await context.Response.Body.WriteAsync(state, either.Token);
                await context.Response.Body.WriteAsync(NewLine, either.Token);
                await context.Response.Body.FlushAsync(either.Token);
                last = state;
            }

            using var waiting = CancellationTokenSource.CreateLinkedTokenSource(either.Token);
            await await Task.WhenAny(changed.Select((signal, i) => signal.WaitAsync(seen[i], waiting.Token)));
            await waiting.CancelAsync();
            await Task.Delay(WatchInterval, time, either.Token);
        }
    }

    /// <exception cref="FairleadException">The body is not what it should be.</exception>
    public static async Task<T> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type)
    {
        try
        {
            return await JsonSerializer.DeserializeAsync(context.Request.Body, type, context.RequestAborted)
                ?? throw Invalid("it is null");
        }
        catch (JsonException e)
        {
            throw Invalid(e.Message, e);
        }
    }

    private static FairleadException Invalid(string why, Exception? inner = null) =>
        new(ErrorCategory.Usage, "request-invalid", "The request makes no sense", why, "Compare 'fairlead version' with the daemon's ('fairlead status').", inner);
}
