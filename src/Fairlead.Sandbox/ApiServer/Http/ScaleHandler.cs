using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Admission;
using Fairlead.Sandbox.ApiServer.Kinds;
using Fairlead.Sandbox.ApiServer.Patching;
using Fairlead.Sandbox.ApiServer.Tables;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Http;

/// <summary>The <c>scale</c> subresource: a view of a workload that shows and sets its replicas.</summary>
internal sealed class ScaleHandler(ReadHandler reads, ObjectWriter writer, TimeProvider time)
{
    private static readonly ResourceKind ScaleKind = new("autoscaling", "v1", "scales", "Scale", namespaced: true);

    public async Task HandleAsync(HttpContext context, ResourceKind kind, ApiRequest request)
    {
        var paths = ScalePaths.Of(kind);
        var old = reads.Find(kind, request);
        if (request.Verb == "get")
        {
            await ReplyAsync(context, ScaleOf(old, paths));
            return;
        }

        var scale = request.Verb == "update"
            ? await context.Request.ReadObjectAsync(context.RequestAborted)
            : (await Patch.ReadAsync(context.Request, ScaleKind, time.GetUtcNow(), context.RequestAborted)).Apply(ScaleOf(old, paths));
        if (scale.Number("spec", "replicas") is not (>= 0 and var replicas))
        {
            var errors = new FieldErrors();
            errors.Invalid("spec.replicas", scale.At("spec", "replicas"), "must be greater than or equal to 0");
            errors.ThrowIfAny(ScaleKind, request.Name);
            return;
        }

        var value = old.Clone();
        paths.SetReplicas(value, replicas);
        value.Metadata()["resourceVersion"] = scale.Text("metadata", "resourceVersion");
        await ReplyAsync(context, ScaleOf(writer.Update(kind, value, old, subresource: null, WriteQuery.Of(context, kind)), paths));
    }

    private static Task ReplyAsync(HttpContext context, JsonObject scale) => context.Response.ReplyAsync(200, scale, context.RequestAborted);

    private static JsonObject ScaleOf(JsonObject value, ScalePaths paths)
    {
        var metadata = new JsonObject();
        foreach (var field in (ReadOnlySpan<string>)["name", "namespace", "uid", "resourceVersion", "creationTimestamp"])
        {
            metadata[field] = value.At("metadata", field)?.DeepClone();
        }

        var status = new JsonObject { ["replicas"] = paths.StatusReplicas(value) };
        if (paths.Selector(value) is { Length: > 0 } selector)
        {
            status["selector"] = selector;
        }

        return new JsonObject
        {
            ["kind"] = "Scale",
            ["apiVersion"] = "autoscaling/v1",
            ["metadata"] = metadata,
            ["spec"] = new JsonObject { ["replicas"] = paths.Replicas(value) },
            ["status"] = status,
        };
    }

    /// <summary>Where a kind has what a scale shows: the workloads' own places, or what a definition says.</summary>
    private sealed record ScalePaths(string[] Spec, string[] Status, string[]? LabelSelector)
    {
        public static ScalePaths Of(ResourceKind kind)
        {
            if (kind.Custom?.Version.Map("subresources", "scale") is not { } scale)
            {
                return new ScalePaths(["spec", "replicas"], ["status", "replicas"], null);
            }

            return new ScalePaths(Steps(scale, "specReplicasPath")!, Steps(scale, "statusReplicasPath")!, Steps(scale, "labelSelectorPath"));
        }

        public long Replicas(JsonObject value) => value.Number(Spec) ?? 0;

        public long StatusReplicas(JsonObject value) => value.Number(Status) ?? 0;

        public string? Selector(JsonObject value) =>
            LabelSelector is null ? Cells.Selector(value.Map("spec", "selector")) : value.Text(LabelSelector);

        public void SetReplicas(JsonObject value, long replicas)
        {
            var parent = value;
            foreach (var step in Spec.SkipLast(1))
            {
                parent = parent.Ensure(step);
            }

            parent[Spec[^1]] = replicas;
        }

        private static string[]? Steps(JsonObject scale, string field) => scale.Text(field)?.Split('.', StringSplitOptions.RemoveEmptyEntries);
    }
}
