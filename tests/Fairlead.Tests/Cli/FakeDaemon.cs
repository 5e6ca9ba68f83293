using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tests.Cli;

/// <summary>A local API on a unix socket that answers what a test tells it to, and keeps what it was asked.</summary>
internal sealed class FakeDaemon : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly DirectoryInfo _directory;
    private readonly ConcurrentDictionary<string, (int Status, string Body)> _answers = new();

    private FakeDaemon(WebApplication app, DirectoryInfo directory)
    {
        _app = app;
        _directory = directory;
        Socket = Path.Combine(directory.FullName, "daemon.sock");
    }

    public string Socket { get; }

    /// <summary>Method, path with query and body of each request, in order.</summary>
    public ConcurrentQueue<string> Asked { get; } = new();

    public static async Task<FakeDaemon> StartAsync()
    {
        var directory = Directory.CreateTempSubdirectory("fl-cli-");
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(Path.Combine(directory.FullName, "daemon.sock")));
        var daemon = new FakeDaemon(builder.Build(), directory);
        daemon._app.Run(daemon.AnswerAsync);
        await daemon._app.StartAsync();
        return daemon;
    }

    public FakeDaemon Answers(string method, string path, string body, int status = 200)
    {
        _answers[$"{method} {path}"] = (status, body);
        return this;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _directory.Delete(recursive: true);
    }

    private async Task AnswerAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        var body = await reader.ReadToEndAsync();
        var target = context.Request.Path + context.Request.QueryString.ToString();
        Asked.Enqueue($"{context.Request.Method} {target} {body}".TrimEnd());
        var (status, answer) = _answers.GetValueOrDefault($"{context.Request.Method} {target}", (404, "no such path"));
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(answer);
    }
}
