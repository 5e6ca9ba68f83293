using System.Globalization;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Kinds;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Http;

/// <summary>
/// <c>metav1.DeleteOptions</c>, from the body or the query. Dependents always go in the background (the garbage collector follows
/// ownerReferences); foreground deletion and orphaning aren't there.
/// </summary>
internal sealed record DeleteOptions(int? GracePeriodSeconds, bool DryRun, string? Uid, string? ResourceVersion)
{
    public static async Task<DeleteOptions> ReadAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        var body = await request.ReadJsonAsync(cancellationToken) as JsonObject ?? [];
        var propagation = body.Text("propagationPolicy") ?? request.Query["propagationPolicy"].ToString();
        if (propagation == "Orphan" || body.Flag("orphanDependents") == true)
        {
            throw Failures.NotImplemented("the sandbox deletes dependents in the background only: propagationPolicy Orphan is not there");
        }

        var grace = body.Number("gracePeriodSeconds")
            ?? (long.TryParse(request.Query["gracePeriodSeconds"], NumberStyles.None, CultureInfo.InvariantCulture, out var asked) ? asked : null);
        return new DeleteOptions(
            (int?)grace,
            body.Texts("dryRun").Contains("All"),
            body.Text("preconditions", "uid"),
            body.Text("preconditions", "resourceVersion"));
    }

    /// <exception cref="StatusException">409: it isn't the object that the client means.</exception>
    public void Check(ResourceKind kind, JsonObject value)
    {
        if (Uid is not null && Uid != value.Uid())
        {
            throw Failures.Conflict(kind.Id, value.Name(), $"Precondition failed: UID in precondition: {Uid}, UID in object meta: {value.Uid()}");
        }

        if (ResourceVersion is not null && ResourceVersion != value.Text("metadata", "resourceVersion"))
        {
            throw Failures.Conflict(
                kind.Id,
                value.Name(),
                $"Precondition failed: ResourceVersion in precondition: {ResourceVersion}, ResourceVersion in object meta: {value.ResourceVersion()}");
        }
    }
}
