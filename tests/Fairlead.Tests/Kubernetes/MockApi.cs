using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Fairlead.Kubernetes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tests.Kubernetes;

internal sealed record MockRequest(string Method, string Path, string Query, string? ContentType, string? Authorization, string Body, string Protocol);

/// <summary>An API server of a test's own on a port of the kernel's: every request is kept and answered by the test.</summary>
internal sealed class MockApi : IAsyncDisposable
{
    private readonly WebApplication _app;

    private MockApi(WebApplication app, Uri url)
    {
        _app = app;
        Url = url;
    }

    public Uri Url { get; }

    public ConcurrentQueue<MockRequest> Requests { get; } = [];

    public KubernetesClient Client(TimeProvider? time = null, string ns = "default") => new(new ClusterConnection(Url) { Namespace = ns }, time);

    /// <param name="handler">The body was read already and is in <see cref="Requests"/>.</param>
    public static async Task<MockApi> StartAsync(Func<HttpContext, MockRequest, Task> handler, bool tls = false)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            if (tls)
            {
                listen.UseHttps(https =>
                {
                    https.ServerCertificate = TestCertificates.Instance.Server;
                    https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
                    https.AllowAnyClientCertificate();
                });
            }
        }));
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromMilliseconds(100));
        var app = builder.Build();
        app.UseWebSockets();
        MockApi? api = null;
        app.Run(async context =>
        {
            var request = context.Request;
            var body = await new StreamReader(request.Body).ReadToEndAsync();
            var seen = new MockRequest(request.Method, request.Path, request.QueryString.Value ?? "", request.ContentType, request.Headers.Authorization, body, request.Protocol);
            api!.Requests.Enqueue(seen);
            await handler(context, seen);
        });
        await app.StartAsync();
        api = new MockApi(app, new Uri(app.Urls.First()));
        return api;
    }

    public static async Task AnswerAsync(HttpContext context, string json, int code = 200)
    {
        context.Response.StatusCode = code;
        context.Response.ContentType = "application/json";
        await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(json));
    }

    public static Task FailAsync(HttpContext context, int code, string reason, string message = "because") =>
        AnswerAsync(context, Status(code, reason, message), code);

    public static string Status(int code, string reason, string message = "because") =>
        $$"""{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"{{message}}","reason":"{{reason}}","code":{{code}}}""";

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();
}
