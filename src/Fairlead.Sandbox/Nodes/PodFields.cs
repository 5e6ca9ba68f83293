using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Network;
using Fairlead.Sandbox.Objects;

namespace Fairlead.Sandbox.Nodes;

/// <summary>The downward API: fields of a pod and resources of a container as text.</summary>
internal static class PodFields
{
    internal static string Field(JsonObject pod, string path, string podAddress, string nodeAddress) => path switch
    {
        "metadata.name" => pod.Name(),
        "metadata.namespace" => pod.Namespace(),
        "metadata.uid" => pod.Uid(),
        "metadata.labels" => Lines(pod, "labels"),
        "metadata.annotations" => Lines(pod, "annotations"),
        "spec.nodeName" => ClusterLayout.NodeName,
        "spec.serviceAccountName" => pod.Text("spec", "serviceAccountName") ?? "default",
        "status.podIP" or "status.podIPs" => podAddress,
        "status.hostIP" or "status.hostIPs" => nodeAddress,
        _ when Subscript(path, "metadata.labels") is { } key => pod.Text("metadata", "labels", key) ?? "",
        _ when Subscript(path, "metadata.annotations") is { } key => pod.Text("metadata", "annotations", key) ?? "",
        _ => throw new ContainerConfigException($"the field {path} cannot be used here"),
    };

    /// <summary>A limit or request in units of the divisor, rounded up; a container without a limit sees the machine's.</summary>
    internal static string Resource(JsonObject container, string resource, string? divisor)
    {
        var (kind, name) = resource.Split('.', 2) is [var k, var n] ? (k, n) : ("", "");
        if (kind is not ("limits" or "requests") || name is not ("cpu" or "memory" or "ephemeral-storage"))
        {
            throw new ContainerConfigException($"the resource {resource} cannot be used here");
        }

        var text = container.IntOrText("resources", kind, name) ?? (kind == "requests" ? container.IntOrText("resources", "limits", name) : null);
        var value = text is not null ? Quantity(text)
            : kind == "requests" ? 0
            : name == "cpu" ? Environment.ProcessorCount
            : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        var unit = divisor is null or "0" ? 1 : Quantity(divisor);
        return decimal.Ceiling(value / unit).ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>A Kubernetes quantity such as <c>250m</c>, <c>1.5</c> or <c>64Mi</c>.</summary>
    internal static decimal Quantity(string text)
    {
        var digits = text.TrimEnd("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".ToCharArray());
        decimal? factor = text[digits.Length..] switch
        {
            "" => 1m,
            "m" => 0.001m,
            "k" => 1e3m,
            "M" => 1e6m,
            "G" => 1e9m,
            "T" => 1e12m,
            "Ki" => 1024m,
            "Mi" => 1048576m,
            "Gi" => 1073741824m,
            "Ti" => 1099511627776m,
            _ => null,
        };
        return factor is { } f && decimal.TryParse(digits, NumberStyles.Number, CultureInfo.InvariantCulture, out var number) && number * f >= 0
            ? number * f
            : throw new ContainerConfigException($"\"{text}\" is not a quantity");
    }

    private static string? Subscript(string path, string prefix) =>
        path.StartsWith(prefix + "['", StringComparison.Ordinal) && path.EndsWith("']", StringComparison.Ordinal)
            ? path[(prefix.Length + 2)..^2]
            : null;

    private static string Lines(JsonObject pod, string field)
    {
        var text = new StringBuilder();
        foreach (var (key, value) in pod.Pairs("metadata", field).OrderBy(p => p.Key, StringComparer.Ordinal))
        {
            text.Append(key).Append("=\"").Append(value.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n")).Append("\"\n");
        }

        return text.ToString();
    }
}
