using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Admission;
using Fairlead.Sandbox.ApiServer.Kinds;
using Fairlead.Sandbox.ApiServer.Patching;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Http;

/// <summary>create, update, patch, delete and deletecollection.</summary>
internal sealed class WriteHandler(IObjectStore store, ObjectWriter writer, TimeProvider time)
{
    public async Task CreateAsync(HttpContext context, ResourceKind kind, ApiRequest request)
    {
        var value = await context.Request.ReadObjectAsync(context.RequestAborted);
        var options = WriteQuery.Of(context, kind);
        Place(kind, request, value);
        await ReplyAsync(context, kind, 201, writer.Create(kind, value, options));
    }

    public async Task UpdateAsync(HttpContext context, ResourceKind kind, ApiRequest request)
    {
        var value = await context.Request.ReadObjectAsync(context.RequestAborted);
        var options = WriteQuery.Of(context, kind);
        Place(kind, request, value);
        var old = Find(kind, request);
        await ReplyAsync(context, kind, 200, writer.Update(kind, value, old, SubresourceOf(request), options));
    }

    public async Task PatchAsync(HttpContext context, ResourceKind kind, ApiRequest request)
    {
        var patch = await Patch.ReadAsync(context.Request, kind, time.GetUtcNow(), context.RequestAborted);
        var options = WriteQuery.Of(context, kind);
        while (true)
        {
            var old = store.Get(kind.StorageId, request.Namespace, request.Name);
            if (old is null && !(patch.CreatesWhenMissing && request.Subresource.Length == 0))
            {
                throw Failures.NotFound(kind.Id, request.Name);
            }

            var patched = patch.Apply(old ?? New(kind, request));
            Place(kind, request, patched);
            try
            {
                if (old is null)
                {
                    await ReplyAsync(context, kind, 201, writer.Create(kind, patched, options));
                    return;
                }

                await ReplyAsync(context, kind, 200, writer.Update(kind, patched, old, SubresourceOf(request), options));
                return;
            }
            catch (StatusException failure) when (failure.Reason == (old is null ? "AlreadyExists" : "Conflict") && !patch.NamesVersion)
            {
                // Somebody else wrote in between; the patch doesn't mind and is made again of what there is now.
                context.RequestAborted.ThrowIfCancellationRequested();
            }
        }
    }

    public async Task DeleteAsync(HttpContext context, ResourceKind kind, ApiRequest request)
    {
        var options = await DeleteOptions.ReadAsync(context.Request, context.RequestAborted);
        var value = Find(kind, request);
        options.Check(kind, value);
        var deleted = writer.Delete(kind, value, options.GracePeriodSeconds, WriteQuery.Of(context, kind, options.DryRun));
        await ReplyAsync(context, kind, 200, deleted);
    }

    public async Task DeleteCollectionAsync(HttpContext context, ResourceKind kind, ApiRequest request)
    {
        var options = await DeleteOptions.ReadAsync(context.Request, context.RequestAborted);
        var write = WriteQuery.Of(context, kind, options.DryRun);
        var (items, version) = store.List(kind.StorageId, request.Namespace);
        JsonObject[] chosen = [.. items.Where(ReadHandler.Filter(kind, context.Request.Query))];
        foreach (var item in chosen)
        {
            try
            {
                writer.Delete(kind, item, options.GracePeriodSeconds, write);
            }
            catch (StatusException failure) when (failure.Code == 404)
            {
                // Gone already, which is what was asked for.
            }
        }

        var reply = ObjectReply.For(context.Request, kind, time.GetUtcNow());
        await context.Response.ReplyAsync(json => reply.WriteList(json, chosen, version, next: null, remaining: 0), context.RequestAborted);
    }

    private static string? SubresourceOf(ApiRequest request) => request.Subresource.Length == 0 ? null : request.Subresource;

    private JsonObject Find(ResourceKind kind, ApiRequest request) =>
        store.Get(kind.StorageId, request.Namespace, request.Name) ?? throw Failures.NotFound(kind.Id, request.Name);

    private Task ReplyAsync(HttpContext context, ResourceKind kind, int code, JsonObject value)
    {
        var reply = ObjectReply.For(context.Request, kind, time.GetUtcNow());
        context.Response.StatusCode = code;
        return context.Response.ReplyAsync(json => reply.WriteOne(json, value), context.RequestAborted);
    }

    private static JsonObject New(ResourceKind kind, ApiRequest request) => new()
    {
        ["apiVersion"] = kind.ApiVersion,
        ["kind"] = kind.Kind,
        ["metadata"] = new JsonObject { ["name"] = request.Name },
    };

    /// <summary>Checks that the object is what the URL says, and completes it by that.</summary>
    private static void Place(ResourceKind kind, ApiRequest request, JsonObject value)
    {
        if ((value.Text("kind") is { } given && given != kind.Kind) || (value.Text("apiVersion") is { } version && version != kind.ApiVersion))
        {
            throw Failures.BadRequest(
                $"{value.Text("apiVersion")}/{value.Text("kind")} in the body does not match what the URL names: {kind.ApiVersion}/{kind.Kind}");
        }

        if (value["metadata"] is not (null or JsonObject))
        {
            throw Failures.BadRequest("metadata must be an object");
        }

        var metadata = value.Metadata();
        if (request.Name.Length > 0)
        {
            metadata.Default("name", request.Name);
            if (value.Name() != request.Name)
            {
                throw Failures.BadRequest($"the name of the object ({value.Name()}) does not match the name on the URL ({request.Name})");
            }
        }

        if (!kind.Namespaced)
        {
            metadata.Remove("namespace");
            return;
        }

        if (request.Namespace is null)
        {
            throw Failures.MethodNotAllowed();
        }

        if (value.Namespace() is { } @namespace && @namespace != request.Namespace)
        {
            throw Failures.BadRequest("the namespace of the provided object does not match the namespace sent on the request");
        }

        metadata["namespace"] = request.Namespace;
    }
}
