using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Kinds;
using Fairlead.Sandbox.ApiServer.Streaming;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Http;

/// <summary>Requests below one object: its status, its scale, a pod's streams, and so on.</summary>
internal sealed class SubresourceHandler(
    IObjectStore store, ReadHandler reads, WriteHandler writes, ScaleHandler scales, TokenHandler tokens, EvictionHandler evictions, PodStreams streams)
{
    public Task HandleAsync(HttpContext context, ResourceKind kind, ApiRequest request)
    {
        var known = kind.Subresources.FirstOrDefault(sub => sub.Name == request.Subresource) ?? throw Failures.NoSuchPath();
        if (!known.Verbs.Contains(request.Verb))
        {
            throw Failures.MethodNotAllowed();
        }

        return request.Subresource switch
        {
            "scale" => scales.HandleAsync(context, kind, request),
            "token" => tokens.HandleAsync(context, request),
            "eviction" => evictions.HandleAsync(context, kind, request),
            "finalize" => FinalizeAsync(context, request),
            "log" => streams.LogAsync(context, reads.Find(kind, request)),
            "exec" => streams.ExecAsync(context, reads.Find(kind, request)),
            "attach" => streams.AttachAsync(context, reads.Find(kind, request)),
            "portforward" => streams.PortForwardAsync(context, reads.Find(kind, request)),
            _ => request.Verb switch
            {
                "get" => reads.GetAsync(context, kind, request),
                "update" => writes.UpdateAsync(context, kind, request),
                _ => writes.PatchAsync(context, kind, request),
            },
        };
    }

    /// <summary>Replaces the finalizers of a namespace and nothing else.</summary>
    private async Task FinalizeAsync(HttpContext context, ApiRequest request)
    {
        var body = await context.Request.ReadObjectAsync(context.RequestAborted);
        var updated = store.Modify(BuiltInKinds.Namespaces, null, request.Name, current =>
        {
            current.Ensure("spec")["finalizers"] = body.At("spec", "finalizers")?.DeepClone() ?? new JsonArray();
            return true;
        });
        await context.Response.ReplyAsync(writer => updated.WriteTo(writer), context.RequestAborted);
    }
}
