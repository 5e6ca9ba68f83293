using System.Text.Json;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Connect;
using Fairlead.Daemon.Names;
using Fairlead.Daemon.Spaces;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace Fairlead.Daemon.Api;

/// <summary>The paths of <see cref="LocalApi.Connect"/> and <see cref="LocalApi.Plan"/>.</summary>
internal sealed class ConnectEndpoints(ConnectService connect, SpaceRegistry spaces, TimeProvider time, CancellationToken stopping)
{
    /// <summary>A gateway that is slow to answer has its own deadlines, all of them shorter.</summary>
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(60);

    /// <summary>Of each list of a request; far above what people write.</summary>
    private const int MaxEntries = 256;

    private static readonly byte[] NewLine = "\n"u8.ToArray();

    public ConnectService Service => connect;

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet(LocalApi.Connect, GetAsync);
        routes.MapPost(LocalApi.Connect, PostAsync);
        routes.MapDelete(LocalApi.Connect, DeleteAsync);
        routes.MapGet(LocalApi.Plan, GetPlanAsync);
    }

    /// <summary>As far as it is the caller's to know.</summary>
    public ConnectState DescribeFor(Caller caller) =>
        connect.SpaceKey is { } key && spaces.Find(key) is { } space && !caller.MaySee(space) ? new ConnectState(true, null, null, null, null, null) : connect.Describe();

    private Task GetAsync(HttpContext context)
    {
        var caller = Caller.Of(context, spaces);
        return Answers.WriteStateAsync(context, () => DescribeFor(caller), LocalJson.Default.ConnectState, time, [connect.Changed], stopping);
    }

    private async Task PostAsync(HttpContext context)
    {
        var caller = Caller.Of(context, spaces);
        var space = caller.SpaceOf(context);
        var request = await Answers.ReadAsync(context, LocalJson.Default.ConnectRequest);
        Check(request);
        using var deadline = new CancellationTokenSource(ConnectTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, context.RequestAborted, stopping);
        try
        {
            await Answers.WriteAsync(context, await connect.ConnectAsync(space, request, either.Token), LocalJson.Default.ConnectState);
        }
        catch (OperationCanceledException e) when (deadline.IsCancellationRequested)
        {
            throw new FairleadException(ErrorCategory.TimedOut, "connect-timeout", "The connection could not be made in time", $"{ConnectTimeout.TotalSeconds:0} s have passed; nothing was changed", "Run 'fairlead doctor'.", e);
        }
    }

    private async Task DeleteAsync(HttpContext context)
    {
        var caller = Caller.Of(context, spaces);
        if (connect.SpaceKey is { } key && spaces.Find(key) is { } space && !caller.MaySee(space))
        {
            throw new FairleadException(ErrorCategory.Denied, "denied", "Another person's space is connected", $"it belongs to uid {space.Record.Owner}", "Ask them, or use sudo.");
        }

        if (!await connect.DisconnectAsync(stopping))
        {
            throw new FairleadException(ErrorCategory.NotConnected, "not-connected", "Nothing is connected", "there is no connection to end", "fairlead connect");
        }

        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task GetPlanAsync(HttpContext context)
    {
        var space = Caller.Of(context, spaces).SpaceOf(context);
        if (context.Request.Query["watch"] != "true")
        {
            await Answers.WriteAsync(context, await connect.PlanAsync(space, context.RequestAborted), LocalJson.Default.PlanState);
            return;
        }

        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        await using var plans = connect.WatchPlanAsync(space, either.Token).GetAsyncEnumerator(either.Token);

        // The first one may fail, and then with the status of its error.
        for (var more = await plans.MoveNextAsync(); more; more = await plans.MoveNextAsync())
        {
            if (!context.Response.HasStarted)
            {
                context.Response.ContentType = "application/x-ndjson";
                context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
            }

            await context.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(plans.Current, LocalJson.Default.PlanState), either.Token);
            await context.Response.Body.WriteAsync(NewLine, either.Token);
            await context.Response.Body.FlushAsync(either.Token);
        }
    }

    /// <summary>What each subnet says is judged with the plan; here, that there is nothing but texts and namespaces.</summary>
    private static void Check(ConnectRequest request)
    {
        IReadOnlyList<string>?[] lists = [request.MappedNamespaces, request.AlsoProxy, request.NeverProxy, request.AllowConflicting, request.Vnat];
        if (lists.Any(list => list is { Count: > MaxEntries } || list?.Any(text => text is null) == true)
            || request.ProxyVia is { Count: > MaxEntries } || request.ProxyVia?.Any(via => via?.Subnet is null || string.IsNullOrEmpty(via.Workload)) == true)
        {
            throw new FairleadException(ErrorCategory.Usage, "request-invalid", "The request makes no sense", $"a list of it has more than {MaxEntries} entries, or one that is empty");
        }

        foreach (var ns in (request.MappedNamespaces ?? []).Concat(request.Namespace is { } primary ? [primary] : []))
        {
            if (!ServiceNames.IsLabel(ns))
            {
                throw new FairleadException(ErrorCategory.Usage, "namespace-invalid", $"'{ns}' is not a namespace", "a namespace has lower-case letters, digits and '-' only", "Write it as 'kubectl get namespaces' does.");
            }
        }
    }
}
