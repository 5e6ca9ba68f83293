using System.Text.Json;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Dns.Messages;
using Fairlead.Kubernetes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Fairlead.Gateway.Api;

/// <summary>Makes every failure an <see cref="ErrorResponse"/> with the HTTP status that fits, and nothing that is not meant for the caller.</summary>
internal sealed partial class ApiErrors(ILogger<ApiErrors> logger)
{
    public async Task HandleAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The caller is gone: nobody to tell.
        }
        catch (FairleadException e)
        {
            await WriteAsync(context, e.Error);
        }
        catch (BadHttpRequestException e)
        {
            await WriteAsync(context, new ErrorInfo(ErrorCategory.Usage, "request-invalid", "The request can't be read", e.Message), e.StatusCode);
        }
        catch (JsonException)
        {
            await WriteAsync(context, new ErrorInfo(ErrorCategory.Usage, "request-invalid", "The request can't be read", "its body is not the JSON that belongs there"));
        }
        catch (DnsFormatException)
        {
            await WriteAsync(context, new ErrorInfo(ErrorCategory.Usage, "request-invalid", "The request can't be read", "its body is not a DNS query"));
        }
        catch (KubernetesException e)
        {
            LogClusterFailed(context.Request.Path, e.Message);
            await WriteAsync(context, new ErrorInfo(ErrorCategory.NotConnected, "cluster-unavailable", "The gateway can't reach its cluster", "the API server did not do what it was asked", "Try again in a moment."));
        }
        catch (Exception e)
        {
            LogDefect(e, context.Request.Path);
            await WriteAsync(context, new ErrorInfo(ErrorCategory.Failed, "internal", "The gateway failed", "of a defect in it; its log says more", "Ask the space's administrator for the gateway's log."));
        }
    }

    public static Task WriteAsync(HttpContext context, ErrorInfo error) => WriteAsync(context, error, StatusOf(error));

    private static async Task WriteAsync(HttpContext context, ErrorInfo error, int status)
    {
        if (context.Response.HasStarted)
        {
            context.Abort();
            return;
        }

        context.Response.Clear();
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        await JsonSerializer.SerializeAsync(context.Response.Body, new ErrorResponse(error), GatewayJson.Default.ErrorResponse, context.RequestAborted);
    }

    private static int StatusOf(ErrorInfo error) => error switch
    {
        { Code: "certificate-missing" or "certificate-foreign" or "certificate-expired" or "certificate-not-yet-valid" } => StatusCodes.Status401Unauthorized,
        { Code: "too-many-attempts" or "too-many-watches" } => StatusCodes.Status429TooManyRequests,
        { Code: "not-found" } => StatusCodes.Status404NotFound,
        { Code: "request-too-large" } => StatusCodes.Status413PayloadTooLarge,
        { Category: ErrorCategory.Usage } => StatusCodes.Status400BadRequest,
        { Category: ErrorCategory.Denied } => StatusCodes.Status403Forbidden,
        { Category: ErrorCategory.Conflict } => StatusCodes.Status409Conflict,
        { Category: ErrorCategory.NotConnected } => StatusCodes.Status503ServiceUnavailable,
        { Category: ErrorCategory.TimedOut } => StatusCodes.Status504GatewayTimeout,
        _ => StatusCodes.Status500InternalServerError,
    };

    [LoggerMessage(1401, LogLevel.Error, "{Path} failed")]
    private partial void LogDefect(Exception error, string path);

    [LoggerMessage(1402, LogLevel.Warning, "{Path}: the API server: {Error}")]
    private partial void LogClusterFailed(string path, string error);
}
