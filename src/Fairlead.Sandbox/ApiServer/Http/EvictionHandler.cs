using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Admission;
using Fairlead.Sandbox.ApiServer.Kinds;
using Fairlead.Sandbox.ApiServer.Selectors;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Http;

/// <summary>Eviction (<c>kubectl drain</c>): a deletion that a PodDisruptionBudget may refuse for now.</summary>
internal sealed class EvictionHandler(IObjectStore store, ObjectWriter writer)
{
    public async Task HandleAsync(HttpContext context, ResourceKind kind, ApiRequest request)
    {
        var eviction = await context.Request.ReadObjectAsync(context.RequestAborted);
        var pod = store.Get(kind.Id, request.Namespace, request.Name) ?? throw Failures.NotFound(kind.Id, request.Name);
        if (pod.Text("status", "phase") is "Running" && !pod.IsBeingDeleted())
        {
            foreach (var budget in BudgetsOf(pod))
            {
                if (Allowed(budget) <= 0)
                {
                    throw Failures.TooManyRequests(
                        "Cannot evict pod as it would violate the pod's disruption budget.",
                        "DisruptionBudget",
                        $"The disruption budget {budget.Name()} needs more healthy pods than there would be left");
                }
            }
        }

        var grace = eviction.Number("deleteOptions", "gracePeriodSeconds");
        writer.Delete(kind, pod, (int?)grace, WriteQuery.Of(context, kind, eviction.Texts("deleteOptions", "dryRun").Contains("All")));
        var status = new JsonObject { ["kind"] = "Status", ["apiVersion"] = "v1", ["metadata"] = new JsonObject(), ["status"] = "Success", ["code"] = 201 };
        await context.Response.ReplyAsync(201, status, context.RequestAborted);
    }

    private IEnumerable<JsonObject> BudgetsOf(JsonObject pod) =>
        store.List(BuiltInKinds.PodDisruptionBudgets, pod.Namespace()).Items
            .Where(budget => budget.Map("spec", "selector") is { } selector && LabelSelector.Of(selector).Matches(pod));

    /// <summary>Pods that may go now, counted at this moment: no controller keeps the budget's status.</summary>
    private long Allowed(JsonObject budget)
    {
        var selector = LabelSelector.Of(budget.Map("spec", "selector")!);
        var pods = store.List(BuiltInKinds.Pods, budget.Namespace()).Items.Where(pod => selector.Matches(pod) && !pod.IsBeingDeleted()).ToArray();
        var healthy = pods.Count(IsReady);
        return budget.At("spec", "maxUnavailable") is { } most
            ? Scaled(most, pods.Length) - (pods.Length - healthy)
            : healthy - Scaled(budget.At("spec", "minAvailable") ?? 1, pods.Length);
    }

    private static bool IsReady(JsonObject pod) =>
        pod.Maps("status", "conditions").Any(condition => condition.Text("type") == "Ready" && condition.Text("status") == "True");

    /// <summary>A number of pods, or a percentage of them rounded up.</summary>
    private static long Scaled(JsonNode amount, int total) =>
        amount.Number() ?? (amount.Text() is { } text && text.EndsWith('%') && int.TryParse(text[..^1], out var percent)
            ? (long)Math.Ceiling(total * percent / 100.0)
            : 0);
}
