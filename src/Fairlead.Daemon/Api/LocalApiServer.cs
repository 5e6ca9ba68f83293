using System.Collections.Concurrent;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Platform;
using Fairlead.Platform.Peers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Api;

/// <summary>
/// The local API on its unix socket. Everybody on the machine may connect; who it is says the kernel, and each call is judged by that. Started when made.
/// </summary>
internal sealed partial class LocalApiServer : IAsyncDisposable
{
    /// <summary>Of all people on the machine; more are closed at once.</summary>
    private const int MaxConnections = 1024;

    /// <summary>Of one uid, so that nobody can keep the others out. A companion has some for each of its spaces.</summary>
    internal const int MaxConnectionsPerUid = 256;

    private readonly WebApplication app;

    private LocalApiServer(WebApplication app) => this.app = app;

    /// <exception cref="IOException">The socket can't be made.</exception>
    public static async Task<LocalApiServer> StartAsync(
        string socket, IPeerCredentials peers, LocalApiEndpoints endpoints, CompanionEndpoints companions, ILoggerProvider log, CancellationToken cancellationToken)
    {
        PrepareDirectory(Path.GetDirectoryName(socket)!);

        // Only one daemon runs (the journal's lock), so a socket that is there is a dead one's.
        File.Delete(socket);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.AddProvider(log).AddFilter("Microsoft", LogLevel.Warning);
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = Answers.MaxBody;
            kestrel.Limits.MaxConcurrentConnections = MaxConnections;
            kestrel.ListenUnixSocket(socket, listen =>
            {
                listen.Protocols = HttpProtocols.Http1;
                var open = new ConcurrentDictionary<uint, int>();
                listen.Use(next => connection => ServeAsync(connection, next, peers, open));
            });
        });

        var web = builder.Build();
        var logger = web.Services.GetRequiredService<ILogger<LocalApiServer>>();
        web.Use(next => context => GuardAsync(context, next, logger));
        web.Use(next => context =>
        {
            context.Response.Headers[LocalApi.VersionHeader] = ProductVersion.Text;
            companions.Announce(context);
            return next(context);
        });
        endpoints.Map(web);
        companions.Map(web);
        web.MapFallback(context => throw new FairleadException(
            ErrorCategory.Usage, "path-unknown", $"The daemon does not know {context.Request.Method} {context.Request.Path}", "the command line is probably of another version", "Compare 'fairlead version' with 'fairlead status', then 'sudo fairlead restart'."));
        await web.StartAsync(cancellationToken);
        if (!OperatingSystem.IsWindows())
        {
            const UnixFileMode Everybody = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
            File.SetUnixFileMode(socket, Everybody);
        }

        return new LocalApiServer(web);
    }

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync();
        await app.DisposeAsync();
    }

    private static async Task ServeAsync(ConnectionContext connection, ConnectionDelegate next, IPeerCredentials peers, ConcurrentDictionary<uint, int> open)
    {
        PeerIdentity peer;
        try
        {
            peer = peers.Of(connection.Features.Get<IConnectionSocketFeature>()!.Socket);
        }
        catch (HostException)
        {
            // Gone already, or the kernel doesn't say who it is: nobody is served without a name.
            connection.Abort();
            return;
        }

        try
        {
            if (open.AddOrUpdate(peer.Uid, 1, (_, count) => count + 1) > MaxConnectionsPerUid)
            {
                connection.Abort();
                return;
            }

            connection.Features.Set(peer);
            await next(connection);
        }
        finally
        {
            open.AddOrUpdate(peer.Uid, 0, (_, count) => count - 1);
        }
    }

    private static void PrepareDirectory(string directory)
    {
        Directory.CreateDirectory(directory);
        if (!OperatingSystem.IsWindows())
        {
            // Whoever made it first may have kept it to root; everybody must be able to reach the socket.
            File.SetUnixFileMode(directory, File.GetUnixFileMode(directory) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        }
    }

    private static async Task GuardAsync(HttpContext context, RequestDelegate next, ILogger logger)
    {
        try
        {
            await next(context);
        }
        catch (FairleadException e) when (!context.Response.HasStarted)
        {
            await Answers.WriteErrorAsync(context, e.Error);
        }
        catch (Microsoft.AspNetCore.Http.BadHttpRequestException e) when (!context.Response.HasStarted)
        {
            await Answers.WriteErrorAsync(context, new ErrorInfo(ErrorCategory.Usage, "request-invalid", "The request makes no sense", e.Message));
        }
        catch (Exception e) when (e is OperationCanceledException or IOException && context.RequestAborted.IsCancellationRequested)
        {
            // The caller went away.
        }
        catch (OperationCanceledException) when (context.Response.HasStarted)
        {
            // The daemon ends: a watch just stops.
        }
        catch (OperationCanceledException)
        {
            // An answer without a body would be taken for success.
            await Answers.WriteErrorAsync(context, new ErrorInfo(
                ErrorCategory.TimedOut, "given-up", "The daemon gave the request up", "something that it waits for took too long, or it is being stopped", "Run 'fairlead status', then try again; 'fairlead logs' says more."));
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            LogFailed(logger, context.Request.Method, context.Request.Path, e);
            await Answers.WriteErrorAsync(context, e is HostException or IOException or UnauthorizedAccessException
                ? new ErrorInfo(ErrorCategory.Failed, "host", "The host refused it", e.Message, (e as HostException)?.Hint ?? "See 'fairlead logs'.")
                : new ErrorInfo(ErrorCategory.Failed, "internal", "The daemon failed; this is a defect", $"{e.GetType().Name}: {e.Message}", "See 'fairlead logs', and report it."));
        }
    }

    [LoggerMessage(5001, LogLevel.Error, "{Method} {Path} failed")]
    private static partial void LogFailed(ILogger logger, string method, string path, Exception exception);

    /// <summary>Signals are the executable's business, not the web server's.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
