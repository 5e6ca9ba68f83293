using System.Net;
using System.Text.Json;
using Fairlead.Contracts.Gateway;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Gateway.Health;

/// <summary>Marks connections of the health port.</summary>
internal sealed class HealthListener;

/// <summary>What the kubelet and Prometheus ask for; and, on the loopback address alone, which only a port-forward reaches, who is here.</summary>
/// <param name="ready">Null when ready, else why not.</param>
internal sealed class HealthEndpoints(Func<string?> ready, PrometheusText metrics, Func<ReplicaStatus> status)
{
    public Task HandleAsync(HttpContext context)
    {
        if (!HttpMethods.IsGet(context.Request.Method) && !HttpMethods.IsHead(context.Request.Method))
        {
            return AnswerAsync(context, StatusCodes.Status405MethodNotAllowed, "method not allowed\n");
        }

        switch (context.Request.Path.Value)
        {
            case "/healthz":
                return AnswerAsync(context, StatusCodes.Status200OK, "ok\n");
            case "/readyz":
                return ready() is { } reason
                    ? AnswerAsync(context, StatusCodes.Status503ServiceUnavailable, reason + "\n")
                    : AnswerAsync(context, StatusCodes.Status200OK, "ok\n");
            case "/metrics":
                return AnswerAsync(context, StatusCodes.Status200OK, metrics.Write(), "text/plain; version=0.0.4; charset=utf-8");
            case ReplicaStatus.Path when context.Connection.LocalIpAddress is { } local && IPAddress.IsLoopback(local):
                return AnswerAsync(context, StatusCodes.Status200OK, JsonSerializer.Serialize(status(), GatewayJson.Default.ReplicaStatus), "application/json");
            default:
                return AnswerAsync(context, StatusCodes.Status404NotFound, "not found\n");
        }
    }

    private static Task AnswerAsync(HttpContext context, int status, string text, string type = "text/plain; charset=utf-8")
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : context.Response.WriteAsync(text, context.RequestAborted);
    }
}
