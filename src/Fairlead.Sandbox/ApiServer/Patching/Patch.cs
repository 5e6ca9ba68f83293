using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Http;
using Fairlead.Sandbox.ApiServer.Kinds;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Patching;

/// <summary>A patch of any of the four kinds, ready to be applied to one object (again, when somebody else wrote in between).</summary>
internal sealed class Patch
{
    private readonly Func<JsonObject, JsonNode?> apply;

    private Patch(Func<JsonObject, JsonNode?> apply) => this.apply = apply;

    /// <summary>Server-side apply makes the object when there is none.</summary>
    public bool CreatesWhenMissing { get; private init; }

    /// <summary>The patch itself says which version it is for, so that another one is a conflict.</summary>
    public bool NamesVersion { get; private init; }

    /// <exception cref="StatusException">400: the body is no such patch; 415: no patch type, or strategic for a custom resource.</exception>
    public static async Task<Patch> ReadAsync(HttpRequest request, ResourceKind kind, DateTimeOffset now, CancellationToken cancellationToken)
    {
        switch (request.MediaType())
        {
            case "application/json-patch+json":
                var operations = await request.ReadJsonAsync(cancellationToken) as JsonArray ?? throw Failures.BadRequest("a JSON patch is a list of operations");
                return new Patch(target => JsonPatch.Apply(target, operations));
            case "application/merge-patch+json":
                var changes = await ReadMapAsync(request, cancellationToken);
                return new Patch(target => JsonMergePatch.Apply(target, changes)) { NamesVersion = HasVersion(changes) };
            case "application/strategic-merge-patch+json" when kind.Custom is null:
                var strategic = await ReadMapAsync(request, cancellationToken);
                return new Patch(target => StrategicMergePatch.Apply(target, strategic, kind.Merge)) { NamesVersion = HasVersion(strategic) };
            case "application/apply-patch+yaml":
                var applied = await ApplyBody.ReadAsync(request, cancellationToken);
                if (request.Query["fieldManager"].ToString() is not { Length: > 0 } manager)
                {
                    throw Failures.BadRequest("PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch");
                }

                return new Patch(target => ServerSideApply.Apply(target, applied, kind.Merge, manager, now)) { CreatesWhenMissing = true, NamesVersion = HasVersion(applied) };
            case var other:
                var accepted = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
                    + (kind.Custom is null ? ", application/strategic-merge-patch+json" : "");
                throw Failures.UnsupportedMediaType(other, accepted);
        }
    }

    /// <returns>What the object becomes: a tree of its own, with the version that it was made of.</returns>
    /// <exception cref="StatusException">400, 422: the patch doesn't fit the object.</exception>
    public JsonObject Apply(JsonObject target)
    {
        var patched = apply(target) as JsonObject ?? throw Failures.BadRequest("the patch leaves no object");
        if (patched["metadata"] is not (null or JsonObject))
        {
            throw Failures.BadRequest("metadata must be an object");
        }

        if (target.Text("metadata", "resourceVersion") is { } version)
        {
            patched.Metadata().Default("resourceVersion", version);
        }

        return patched;
    }

    private static async Task<JsonObject> ReadMapAsync(HttpRequest request, CancellationToken cancellationToken) =>
        await request.ReadJsonAsync(cancellationToken) as JsonObject ?? throw Failures.BadRequest("the patch must be an object");

    private static bool HasVersion(JsonObject patch) => patch.Text("metadata", "resourceVersion") is { Length: > 0 };
}
