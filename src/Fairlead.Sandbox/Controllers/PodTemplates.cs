using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Objects;

namespace Fairlead.Sandbox.Controllers;

/// <summary>Pods from the template of a workload.</summary>
internal static class PodTemplates
{
    // The letters that Kubernetes uses: no vowels, no look-alikes.
    private const string Letters = "bcdfghjklmnpqrstvwxz2456789";

    /// <summary>Ten letters that stand for a template.</summary>
    internal static string Hash(JsonNode? template)
    {
        var bytes = SHA256.HashData(Encoding.UTF8.GetBytes(Canonical(template)));
        return string.Concat(bytes.Take(10).Select(b => Letters[b % Letters.Length]));
    }

    /// <summary>A pod of <paramref name="owner"/>, with extra labels, not yet named.</summary>
    internal static JsonObject Pod(JsonObject owner, string apiVersion, string kind, params ReadOnlySpan<(string Name, string Value)> labels)
    {
        var template = owner.At("spec", "template");
        var metadata = template.At("metadata")?.DeepClone() as JsonObject ?? [];
        metadata["namespace"] = owner.Namespace();
        metadata["ownerReferences"] = new JsonArray(OwnerReference.To(owner, apiVersion, kind));
        foreach (var (name, value) in labels)
        {
            metadata.Ensure("labels")[name] = value;
        }

        return new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Pod",
            ["metadata"] = metadata,
            ["spec"] = template.At("spec")?.DeepClone() ?? new JsonObject(),
        };
    }

    /// <summary>Neither finished nor on its way out.</summary>
    internal static bool IsActive(JsonObject pod) => !pod.IsBeingDeleted() && pod.Text("status", "phase") is not ("Succeeded" or "Failed");

    internal static bool IsReady(JsonObject pod) => Conditions.Holds(pod, "Ready");

    /// <summary>The same text for the same value, whatever the order of its fields. Clients send null for what is absent.</summary>
    private static string Canonical(JsonNode? node) => node switch
    {
        JsonObject o => $"{{{string.Join(',', o.Where(p => p.Value is not null).OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => $"{p.Key}:{Canonical(p.Value)}"))}}}",
        JsonArray a => $"[{string.Join(',', a.Select(Canonical))}]",
        _ => node?.ToJsonString() ?? "null",
    };
}
