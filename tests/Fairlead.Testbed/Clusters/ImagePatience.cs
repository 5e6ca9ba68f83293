using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Fairlead.Testbed.Clusters;

/// <summary>How long it is worth to wait for pods of images that a cluster may not have: as long as one is on its way, but not for one that can't be had.</summary>
internal sealed class ImagePatience
{
    /// <summary>A registry may fail once.</summary>
    private static readonly TimeSpan WithReason = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan Most = TimeSpan.FromMinutes(5);

    private readonly long _began = Stopwatch.GetTimestamp();

    /// <param name="pods">A list of pods that aren't ready.</param>
    /// <returns>Why waiting is over, in the cluster's words; null: not yet.</returns>
    public string? WhyNot(JsonNode pods)
    {
        var elapsed = Stopwatch.GetElapsedTime(_began);
        var reasons = pods["items"]!.AsArray().SelectMany(p => Reasons(p!["status"]!)).Distinct().ToList();
        return reasons.Count > 0 && elapsed > WithReason ? string.Join("; ", reasons)
            : elapsed > Most ? $"it was not ready after {Most.TotalMinutes:0} minutes"
            : null;
    }

    private static IEnumerable<string> Reasons(JsonNode status)
    {
        var waiting = (status["containerStatuses"] as JsonArray ?? []).Select(c => c!["state"]?["waiting"]).OfType<JsonNode>().Where(w => Text(w, "reason") is not ("ContainerCreating" or "PodInitializing"));
        var unscheduled = (status["conditions"] as JsonArray ?? []).OfType<JsonNode>().Where(c => Text(c, "type") == "PodScheduled" && Text(c, "status") == "False");
        return waiting.Concat(unscheduled).Select(r => $"{Text(r, "reason")} {Text(r, "message")}".Trim());
    }

    private static string Text(JsonNode node, string key) => node[key]?.GetValue<string>() ?? "";
}
