using Fairlead.Sandbox.ApiServer.Access;
using Fairlead.Sandbox.ApiServer.Discovery;
using Fairlead.Sandbox.ApiServer.Kinds;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Fairlead.Sandbox.ApiServer.Http;

/// <summary>The way of a request: who, what, may they, do it; every failure a Status.</summary>
internal sealed partial class Dispatcher(
    Authenticator authenticator,
    Authorizer authorizer,
    KindTable kinds,
    ReadHandler reads,
    WriteHandler writes,
    SubresourceHandler subresources,
    ReviewHandler reviews,
    DiscoveryHandler discovery,
    ILogger logger)
{
    public async Task HandleAsync(HttpContext context)
    {
        try
        {
            await RouteAsync(context);
        }
        catch (StatusException failure) when (!context.Response.HasStarted)
        {
            await context.Response.ReplyAsync(failure, context.RequestAborted);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client has gone; there is nobody to answer.
        }
        catch (BadHttpRequestException failure) when (!context.Response.HasStarted)
        {
            await context.Response.ReplyAsync(new StatusException(failure.StatusCode, failure.StatusCode == 413 ? "RequestEntityTooLarge" : "BadRequest", failure.Message), context.RequestAborted);
        }
        catch (Exception failure) when (!context.Response.HasStarted)
        {
            LogFailure(failure, context.Request.Method, context.Request.Path);
            await context.Response.ReplyAsync(
                new StatusException(500, "InternalError", $"Internal error occurred: {failure.Message}"), context.RequestAborted);
        }
    }

    private async Task RouteAsync(HttpContext context)
    {
        var user = Impersonation.Apply(context.Request, authenticator.Authenticate(context), authorizer);
        if (ApiRequest.Parse(context.Request) is not { } request)
        {
            var path = context.Request.Path.Value ?? "/";
            Authorize(user, new AccessRequest(context.Request.Method.ToLowerInvariant()) { Path = path });
            await discovery.HandleAsync(context);
            return;
        }

        Authorize(user, request.Access);
        context.Features.Set(user);
        var kind = kinds.Find(request.Resource) ?? throw Failures.NoSuchPath();
        if (request.Subresource.Length > 0)
        {
            await subresources.HandleAsync(context, kind, request);
            return;
        }

        if (!kind.Verbs.Contains(request.Verb))
        {
            throw Failures.MethodNotAllowed();
        }

        if (request.Namespace is not null && !kind.Namespaced)
        {
            throw Failures.NoSuchPath();
        }

        await (request.Verb switch
        {
            "create" when kind.Verbs.Count == 1 => reviews.HandleAsync(context, kind, request, user),
            "get" => reads.GetAsync(context, kind, request),
            "list" => reads.ListAsync(context, kind, request),
            "watch" => reads.WatchAsync(context, kind, request),
            "create" when request.Name.Length == 0 => writes.CreateAsync(context, kind, request),
            "update" when request.Name.Length > 0 => writes.UpdateAsync(context, kind, request),
            "patch" when request.Name.Length > 0 => writes.PatchAsync(context, kind, request),
            "delete" => writes.DeleteAsync(context, kind, request),
            "deletecollection" => writes.DeleteCollectionAsync(context, kind, request),
            _ => throw Failures.MethodNotAllowed(),
        });
    }

    private void Authorize(User user, AccessRequest access)
    {
        if (authorizer.Allows(user, access))
        {
            return;
        }

        if (access.Path is { } path)
        {
            throw new StatusException(403, "Forbidden", $"forbidden: User \"{user.Name}\" cannot {access.Verb} path \"{path}\"") { Details = [] };
        }

        var where = access.Namespace is { } name ? $"in the namespace \"{name}\"" : "at the cluster scope";
        throw Failures.Forbidden(
            new ResourceId(access.Group, "", access.Resource),
            access.Name,
            $"User \"{user.Name}\" cannot {access.Verb} resource \"{access.ResourceAndSubresource}\" in API group \"{access.Group}\" {where}");
    }

    [LoggerMessage(1, LogLevel.Error, "{Method} {Path} failed")]
    private partial void LogFailure(Exception failure, string method, PathString path);
}
