using System.Buffers;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Catalog;
using Fairlead.Gateway.Dial;
using Fairlead.Gateway.Dns;
using Fairlead.Gateway.Exits;
using Fairlead.Gateway.Health;
using Fairlead.Gateway.Identity;
using Fairlead.Gateway.Policy;
using Fairlead.Tunnel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Fairlead.Gateway.Api;

/// <summary>What the space is, as hello tells it.</summary>
internal sealed record SpaceFacts(string Name, string Uid, string AuthorityPem, string ClusterDomain, string Instance, string ProductVersion);

/// <summary>The requests of <see cref="GatewayApi"/> except flows and the WebSocket carrier, which are the tunnel's.</summary>
internal sealed class ApiEndpoints(
    SpaceFacts space,
    Func<GatewayReach> reach,
    ClientCertificates certificates,
    Enrolment enrolment,
    Grants grants,
    ClientSettings settings,
    CatalogFeed feed,
    DnsForwarder dns,
    Workloads workloads,
    AgentEnrolment agents,
    Diagnosis diagnosis,
    GatewayMetrics metrics,
    Func<bool> draining,
    TimeProvider time)
{
    private const int MaxBody = 32 * 1024;
    private const int MaxDnsMessage = 4096;
    private const int FlushSize = 64 * 1024;
    private const int MaxVersions = 64;
    private static readonly TimeSpan BodyTimeout = TimeSpan.FromSeconds(10);

    private static readonly byte[] NewLine = "\n"u8.ToArray();

    /// <summary>One laptop needs one; restarts and two gateways make some more.</summary>
    public Sessions Watches { get; } = new(perSubject: 16, total: 4096);

    public void Map(IEndpointRouteBuilder routes, CancellationToken stopping)
    {
        Route(routes, "GET", GatewayApi.Authority, context => context.Response.WriteAsync(space.AuthorityPem, context.RequestAborted));
        Route(routes, "POST", GatewayApi.Hello, HelloAsync);
        Route(routes, "POST", GatewayApi.Enroll, EnrollAsync);
        Route(routes, "POST", GatewayApi.Renew, RenewAsync);
        Route(routes, "POST", GatewayApi.Exit, ExitAsync);
        Route(routes, "POST", GatewayApi.Agent, AgentAsync);
        Route(routes, "GET", GatewayApi.Catalog, context => CatalogAsync(context, stopping));
        Route(routes, "POST", GatewayApi.DnsQuery, DnsAsync);
        Route(routes, "POST", GatewayApi.Diagnosis, DiagnoseAsync);
        routes.MapFallback(context => ApiErrors.WriteAsync(context, new ErrorInfo(ErrorCategory.Usage, "not-found", "The gateway has no such path", Hint: "Compare the versions: 'fairlead version'.")));
    }

    /// <summary>Who asks, or null without a certificate that counts; for the tunnel's endpoints.</summary>
    public PeerIdentity? Identify(HttpContext context) => context.Connection.ClientCertificate is { } certificate ? certificates.Identify(certificate) : null;

    private void Route(IEndpointRouteBuilder routes, string method, string path, RequestDelegate handle) => routes.MapMethods(path, [method], async context =>
    {
        try
        {
            await handle(context);
        }
        finally
        {
            metrics.Requested(path, context.Response.StatusCode);
        }
    });

    private PeerIdentity RequirePeer(HttpContext context) => RequirePeer(context, certificates.Judge);

    private static PeerIdentity RequirePeer(HttpContext context, Func<X509Certificate2, (PeerIdentity? Peer, ErrorInfo? Error)> judge)
    {
        if (context.Connection.ClientCertificate is not { } certificate)
        {
            throw new FairleadException(ErrorCategory.Denied, "certificate-missing", "The gateway needs a client certificate", "the connection came without one", "Join the space first: 'fairlead join TOKEN'.");
        }

        var (peer, error) = judge(certificate);
        return peer ?? throw new FairleadException(error!);
    }

    private async Task HelloAsync(HttpContext context)
    {
        var peer = RequirePeer(context);
        var hello = await ReadAsync(context, GatewayJson.Default.HelloRequest);
        if (hello.ProtocolVersions.Count > MaxVersions)
        {
            throw new FairleadException(ErrorCategory.Usage, "request-invalid", "The request can't be read", "it names too many protocol versions");
        }

        var version = Negotiation.Choose(hello, space.ProductVersion);
        var at = reach();
        await grants.ReadyAsync(peer, target: null, context.RequestAborted);
        await WriteAsync(
            context,
            new HelloResponse(version, space.ProductVersion, Negotiation.Capabilities, space.Name, space.Uid, peer.Subject, space.ClusterDomain, space.Instance, at.Endpoints, at.Pods, at.Network,
                Rights: [.. grants.Of(peer).Rules.Take(GatewayApi.MaxRights)]),
            GatewayJson.Default.HelloResponse);
    }

    private async Task EnrollAsync(HttpContext context)
    {
        var request = await ReadAsync(context, GatewayJson.Default.EnrollRequest);
        await AnswerWithCertificateAsync(context, "enroll", () => enrolment.EnrollAsync(request, context.Connection.RemoteIpAddress?.ToString() ?? "unknown", context.RequestAborted));
    }

    private async Task RenewAsync(HttpContext context)
    {
        var peer = RequirePeer(context, certificates.JudgeForRenewal);
        var request = await ReadAsync(context, GatewayJson.Default.RenewRequest);
        await AnswerWithCertificateAsync(context, "renew", () => enrolment.RenewAsync(peer, !grants.Of(peer).IsEmpty, request, context.RequestAborted));
    }

    private async Task AgentAsync(HttpContext context)
    {
        var request = await ReadAsync(context, GatewayJson.Default.EnrollRequest);
        await AnswerWithCertificateAsync(context, "agent", () => Task.FromResult(agents.Enroll(request, context.Connection.RemoteIpAddress)));
    }

    /// <summary>Whether flows may leave from a workload, as far as can be told without placing anything.</summary>
    private async Task ExitAsync(HttpContext context)
    {
        var peer = RequirePeer(context);
        var request = await ReadAsync(context, GatewayJson.Default.ExitRequest);
        if (!Subjects.IsLabel(request.Namespace) || request.Workload.Length > FlowTarget.MaxVia)
        {
            throw new FairleadException(ErrorCategory.Usage, "workload-invalid", "The workload can't be read", "it is a namespace and NAME or KIND/NAME");
        }

        await grants.ReadyAsync(peer, target: null, context.RequestAborted);
        var rights = grants.Of(peer);
        var workload = await workloads.ResolveAsync(request.Namespace, request.Workload, key => LiteralPlanner.ExitDenial(rights, key), context.RequestAborted);
        await workloads.PodsOfAsync(workload, context.RequestAborted);
        await WriteAsync(context, new ExitResponse(workload.ToString()), GatewayJson.Default.ExitResponse);
    }

    private async Task AnswerWithCertificateAsync(HttpContext context, string kind, Func<Task<CertificateResponse>> issue)
    {
        CertificateResponse issued;
        try
        {
            issued = await issue();
        }
        catch (FairleadException e)
        {
            metrics.Certificate(kind, e.Error.Code);
            throw;
        }

        metrics.Certificate(kind, "issued");
        context.Response.Headers.CacheControl = "no-store";
        await WriteAsync(context, issued, GatewayJson.Default.CertificateResponse);
    }

    private async Task CatalogAsync(HttpContext context, CancellationToken stopping)
    {
        var peer = RequirePeer(context);
        using var watch = Watches.TryOpen(peer)
            ?? throw new FairleadException(ErrorCategory.Denied, "too-many-watches", "Too many catalogs are being watched", "each keeps a stream open", "End other sessions of this user.");

        // Once more: a revocation that came before the watch was in the table has not ended it.
        RequirePeer(context);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, watch.Ended, stopping);
        context.Response.ContentType = "application/x-ndjson";
        context.Response.Headers.CacheControl = "no-store";
        await grants.ReadyAsync(peer, target: null, stop.Token);
        var query = context.Request.Query;
        var events = new CatalogWatch(
            feed, space.Instance, () => grants.Of(peer), () => settings.Current, draining, time, query["gateway"] == "true" ? reach : null, query["addresses"] == "true");
        var body = context.Response.BodyWriter;
        using var json = new Utf8JsonWriter((IBufferWriter<byte>)body);
        try
        {
            await foreach (var batch in events.EventsAsync(query["since"], stop.Token))
            {
                foreach (var one in batch)
                {
                    JsonSerializer.Serialize(json, one, GatewayJson.Default.CatalogEvent);
                    json.Flush();
                    json.Reset();
                    body.Write(NewLine);
                    if (body.UnflushedBytes >= FlushSize)
                    {
                        await body.FlushAsync(stop.Token);
                    }
                }

                await body.FlushAsync(stop.Token);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            if (watch.Ended.IsCancellationRequested)
            {
                // Not as if it were complete.
                context.Abort();
            }
        }
    }

    private async Task DnsAsync(HttpContext context)
    {
        var peer = RequirePeer(context);
        if (context.Request.ContentType != "application/dns-message")
        {
            throw new FairleadException(ErrorCategory.Usage, "request-invalid", "The request can't be read", "its content type is not application/dns-message");
        }

        await grants.ReadyAsync(peer, target: null, context.RequestAborted);
        var answer = await dns.AnswerAsync(peer, await ReadAsync(context, MaxDnsMessage), context.RequestAborted);
        context.Response.ContentType = "application/dns-message";
        context.Response.ContentLength = answer.Length;
        await context.Response.Body.WriteAsync(answer, context.RequestAborted);
    }

    private async Task DiagnoseAsync(HttpContext context)
    {
        var peer = RequirePeer(context);
        var found = await diagnosis.ExamineAsync(peer, await ReadAsync(context, GatewayJson.Default.DiagnosisRequest), context.RequestAborted);
        await WriteAsync(context, found, GatewayJson.Default.DiagnosisResponse);
    }

    private static async Task<T> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type) =>
        JsonSerializer.Deserialize((await ReadAsync(context, MaxBody)).Span, type) ?? throw new JsonException();

    /// <summary>Kestrel's own minimum rate is off for the sake of flows, so that a body which never ends is given up here.</summary>
    private static async Task<ReadOnlyMemory<byte>> ReadAsync(HttpContext context, int limit)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        patience.CancelAfter(BodyTimeout);
        try
        {
            return await ReadAsync(context, limit, patience.Token);
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            throw new FairleadException(ErrorCategory.TimedOut, "request-slow", "The request did not arrive in time", $"its body took longer than {BodyTimeout.TotalSeconds:0} s", "Try again.");
        }
    }

    private static async Task<ReadOnlyMemory<byte>> ReadAsync(HttpContext context, int limit, CancellationToken cancellationToken)
    {
        var buffer = new byte[Math.Clamp(context.Request.ContentLength ?? 1024, 1, limit) + 1];
        var length = 0;
        while (true)
        {
            var read = await context.Request.Body.ReadAsync(buffer.AsMemory(length), cancellationToken);
            if (read == 0)
            {
                return buffer.AsMemory(0, length);
            }

            length += read;
            if (length > limit)
            {
                throw new FairleadException(ErrorCategory.Usage, "request-too-large", "The request is too large", $"it may have {limit} bytes");
            }

            if (length == buffer.Length)
            {
                Array.Resize(ref buffer, Math.Min(buffer.Length * 2, limit + 1));
            }
        }
    }

    private static async Task WriteAsync<T>(HttpContext context, T value, JsonTypeInfo<T> type)
    {
        context.Response.ContentType = "application/json";
        await JsonSerializer.SerializeAsync(context.Response.Body, value, type, context.RequestAborted);
    }
}
