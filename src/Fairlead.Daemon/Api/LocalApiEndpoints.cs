using System.Collections.Frozen;
using System.Text;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Consume;
using Fairlead.Daemon.Settings;
using Fairlead.Daemon.Spaces;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace Fairlead.Daemon.Api;

/// <summary>What the daemon is, apart from its spaces.</summary>
internal sealed record DaemonIdentity(int Pid, DateTimeOffset Started, CaptureStatus Capture);

/// <summary>The paths of <see cref="LocalApi"/>: each finds out who asks, whether that person may, and asks the part that does it.</summary>
/// <param name="ShutDownAsync">Undoes every change to the host; the daemon ends after it. Throws when something couldn't be undone.</param>
/// <param name="Stopping">Ends the watches.</param>
internal sealed record LocalApiEndpoints(
    DaemonIdentity Identity,
    SpaceRegistry Spaces,
    ConsumeService Consume,
    Signal ConsumeApplied,
    ConnectEndpoints Connect,
    DaemonSettings Settings,
    Doctor Doctor,
    DaemonLog Log,
    Func<Task> ShutDownAsync,
    TimeProvider Time,
    CancellationToken Stopping)
{
    /// <summary>Enrolment goes on when its caller goes away, because the token is spent by then; but not for ever.</summary>
    private static readonly TimeSpan JoinTimeout = TimeSpan.FromSeconds(30);

    /// <summary>A companion starts, a plugin may log in, and the gateway decides; each has its own, shorter patience.</summary>
    private static readonly TimeSpan ClusterJoinTimeout = TimeSpan.FromSeconds(90);

    /// <summary>After a join, how long the link may take before the answer tells of it as it is.</summary>
    private static readonly TimeSpan JoinWait = TimeSpan.FromSeconds(5);

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet(LocalApi.Status, GetStatusAsync);
        routes.MapPost(LocalApi.Shutdown, PostShutdownAsync);
        routes.MapGet(LocalApi.Options, context => WriteStateAsync(context, () => Settings.List(GatewaySettings), LocalJson.Default.OptionList));
        routes.MapPut(LocalApi.Options + "/{key}", PutOptionAsync);
        routes.MapDelete(LocalApi.Options + "/{key}", DeleteOptionAsync);
        routes.MapPost(LocalApi.Join, PostJoinAsync);
        routes.MapGet(LocalApi.Spaces, GetSpacesAsync);
        routes.MapPost(LocalApi.Spaces + "/{name}/use", PostUseAsync);
        routes.MapDelete(LocalApi.Spaces + "/{name}", DeleteSpaceAsync);
        routes.MapGet(LocalApi.Services, GetServicesAsync);
        routes.MapGet(LocalApi.Consume, GetConsumeAsync);
        routes.MapPost(LocalApi.Consume, PostConsumeAsync);
        routes.MapPut(LocalApi.PrimaryNamespacePath, PutPrimaryNamespaceAsync);
        routes.MapGet(LocalApi.Logs, GetLogsAsync);
        routes.MapGet(LocalApi.Doctor, GetDoctorAsync);
        Connect.Map(routes);
    }

    private Caller CallerOf(HttpContext context) => Caller.Of(context, Spaces);

    private static Space SpaceOf(HttpContext context, Caller caller) => caller.SpaceOf(context);

    private static string RouteValue(HttpContext context, string key) => (string)context.Request.RouteValues[key]!;

    private SpaceStatus Describe(Space space) =>
        space.Describe(Spaces.IsInUse(space), Consume.Count(space)) with { Settings = Settings.Describe(space.GatewaySettings) };

    /// <summary>Of the space in use: options are the whole laptop's.</summary>
    private IReadOnlyDictionary<string, string> GatewaySettings => Spaces.InUse?.GatewaySettings ?? FrozenDictionary<string, string>.Empty;

    private Task WriteStateAsync<T>(HttpContext context, Func<T> read, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type) =>
        Answers.WriteStateAsync(context, read, type, Time, [Spaces.Changed, ConsumeApplied, Connect.Service.Changed], Stopping);

    private Task GetStatusAsync(HttpContext context)
    {
        var caller = CallerOf(context);
        return WriteStateAsync(
            context,
            () => new DaemonStatus(
                ProductVersion.Text,
                Identity.Pid,
                Identity.Started,
                Identity.Capture,
                Settings.Effective(DaemonSettings.Resolver, GatewaySettings),
                Spaces.InUse is { } space && caller.MaySee(space) ? space.Record.Name : null,
                [.. caller.Visible.Select(Describe)],
                Connect.DescribeFor(caller) is { Connected: true } connected ? connected : null),
            LocalJson.Default.DaemonStatus);
    }

    private async Task PostShutdownAsync(HttpContext context)
    {
        CallerOf(context).RequireWholeHost("Stopping the daemon");
        await ShutDownAsync();
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task PutOptionAsync(HttpContext context)
    {
        CallerOf(context).RequireRoot("Changing an option");
        var change = await Answers.ReadAsync(context, LocalJson.Default.OptionChange);
        var changed = Settings.Set(RouteValue(context, "key"), change.Value, GatewaySettings);
        Spaces.Changed.Pulse();
        await Answers.WriteAsync(context, changed, LocalJson.Default.OptionChanged);
    }

    private async Task DeleteOptionAsync(HttpContext context)
    {
        CallerOf(context).RequireRoot("Changing an option");
        var changed = Settings.Unset(RouteValue(context, "key"), GatewaySettings);
        Spaces.Changed.Pulse();
        await Answers.WriteAsync(context, changed, LocalJson.Default.OptionChanged);
    }

    private async Task PostJoinAsync(HttpContext context)
    {
        var caller = CallerOf(context);
        var request = await Answers.ReadAsync(context, LocalJson.Default.JoinRequest);
        var space = request switch
        {
            { Token: { } token, Cluster: null } => await EnrolAsync(JoinTimeout, cancellationToken => Spaces.JoinAsync(token, caller.Peer.Uid, cancellationToken)),
            { Token: null, Cluster: { } cluster } => await EnrolAsync(ClusterJoinTimeout, cancellationToken => Spaces.JoinAsync(cluster, caller.Peer.Uid, cancellationToken)),
            _ => throw new FairleadException(ErrorCategory.Usage, "request-invalid", "The request can't be read", "it must name a token or a cluster, and not both"),
        };
        try
        {
            await space.WaitForCatalogAsync(context.RequestAborted).WaitAsync(JoinWait, Time, context.RequestAborted);
        }
        catch (TimeoutException)
        {
            // Joined all the same; the status says how far the link is.
        }

        await Answers.WriteAsync(context, Describe(space), LocalJson.Default.SpaceStatus);
    }

    private async Task<Space> EnrolAsync(TimeSpan timeout, Func<CancellationToken, Task<Space>> join)
    {
        using var deadline = new CancellationTokenSource(timeout, Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, Stopping);
        try
        {
            return await join(either.Token);
        }
        catch (OperationCanceledException e) when (!Stopping.IsCancellationRequested)
        {
            // Ours, or the patience of a client below, which may be as long and end a moment before.
            throw new FairleadException(ErrorCategory.TimedOut, "join-timeout", "The gateway did not answer in time", $"it was waited for up to {timeout.TotalSeconds:0} s", "Check the network to the gateway, then join again.", e);
        }
    }

    private Task GetSpacesAsync(HttpContext context)
    {
        var caller = CallerOf(context);
        return WriteStateAsync(context, () => new SpaceList([.. caller.Visible.Select(Describe)]), LocalJson.Default.SpaceList);
    }

    private async Task PostUseAsync(HttpContext context)
    {
        var caller = CallerOf(context);
        var space = caller.Find(RouteValue(context, "name"));
        caller.RequireUse();
        await Spaces.UseAsync(space, context.RequestAborted);
        await Consume.ApplyAsync(space, context.RequestAborted);
        await Answers.WriteAsync(context, Describe(space), LocalJson.Default.SpaceStatus);
    }

    private async Task DeleteSpaceAsync(HttpContext context)
    {
        var space = CallerOf(context).Find(RouteValue(context, "name"));
        await Connect.Service.LeaveAsync(space.Key, context.RequestAborted);
        await Spaces.LeaveAsync(space, context.RequestAborted);
        await Consume.ApplyAsync(space, context.RequestAborted);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private Task GetServicesAsync(HttpContext context)
    {
        var space = SpaceOf(context, CallerOf(context));
        return WriteStateAsync(context, () => ConsumeService.Services(space, context.Request.Query["namespace"]), LocalJson.Default.ServiceList);
    }

    private Task GetConsumeAsync(HttpContext context)
    {
        var space = SpaceOf(context, CallerOf(context));
        return WriteStateAsync(context, () => Consume.Describe(space), LocalJson.Default.ConsumeState);
    }

    private async Task PostConsumeAsync(HttpContext context)
    {
        var space = SpaceOf(context, CallerOf(context));
        var request = await Answers.ReadAsync(context, LocalJson.Default.ConsumeRequest);
        await Answers.WriteAsync(context, await Consume.ChangeAsync(space, request, context.RequestAborted), LocalJson.Default.ConsumeState);
    }

    private async Task PutPrimaryNamespaceAsync(HttpContext context)
    {
        var space = SpaceOf(context, CallerOf(context));
        var request = await Answers.ReadAsync(context, LocalJson.Default.PrimaryNamespace);
        await Answers.WriteAsync(
            context,
            await Consume.SetPrimaryNamespaceAsync(space, request.Namespace.Length == 0 ? null : request.Namespace, context.RequestAborted),
            LocalJson.Default.ConsumeState);
    }

    private async Task GetLogsAsync(HttpContext context)
    {
        CallerOf(context).RequireWholeHost("Reading the daemon's log");
        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, Stopping);
        context.Response.ContentType = "text/plain; charset=utf-8";
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        var wanted = int.TryParse(context.Request.Query["lines"], out var number) ? Math.Max(0, number) : DaemonLog.MaxLines;
        var seen = Log.Written.Version;
        var (lines, next) = Log.Read(0);
        lines = [.. lines.TakeLast(wanted)];
        while (true)
        {
            foreach (var line in lines)
            {
                await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(line + "\n"), either.Token);
            }

            await context.Response.Body.FlushAsync(either.Token);
            if (context.Request.Query["follow"] != "true")
            {
                return;
            }

            await Log.Written.WaitAsync(seen, either.Token);
            seen = Log.Written.Version;
            (lines, next) = Log.Read(next);
        }
    }

    private async Task GetDoctorAsync(HttpContext context) =>
        await Answers.WriteAsync(context, await Doctor.ExamineAsync(CallerOf(context), context.RequestAborted), LocalJson.Default.DoctorReport);
}
