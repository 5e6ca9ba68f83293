using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Admission.Validation;

internal static class PodValidation
{
    private static readonly string[] Protocols = ["SCTP", "TCP", "UDP"];
    private static readonly string[] RestartPolicies = ["Always", "OnFailure", "Never"];

    public static void Pod(ObjectValidation pod)
    {
        Spec(pod.Value.Map("spec") ?? [], "spec", pod.Errors);
        if (pod.Old is { } old && pod.Subresource == "ephemeralcontainers")
        {
            AddContainers(pod.Value, old, pod.Errors);
        }
        else if (pod.Old is not null)
        {
            Update(pod.Value, pod.Old, pod.Errors);
        }
        else if (pod.Value.Maps("spec", "ephemeralContainers").Any())
        {
            pod.Errors.Forbidden("spec.ephemeralContainers", "cannot be set on create");
        }
    }

    /// <param name="claims">Names that mounts may use besides the spec's own volumes.</param>
    public static void Spec(JsonObject spec, string field, FieldErrors errors, IEnumerable<string>? claims = null)
    {
        if (!spec.Maps("containers").Any())
        {
            errors.Required($"{field}.containers");
        }

        var volumes = new HashSet<string>();
        foreach (var (volume, at) in Indexed(spec, "volumes", field))
        {
            Unique(volume, volumes, at, errors);
        }

        volumes.UnionWith(claims ?? []);

        var names = new HashSet<string>();
        foreach (var list in (ReadOnlySpan<string>)["containers", "initContainers", "ephemeralContainers"])
        {
            foreach (var (container, at) in Indexed(spec, list, field))
            {
                Unique(container, names, at, errors);
                Container(container, at, volumes, errors);
            }
        }

        if (spec.Text("restartPolicy") is { } policy && !RestartPolicies.Contains(policy))
        {
            errors.Unsupported($"{field}.restartPolicy", policy, RestartPolicies);
        }

        if (spec.Number("terminationGracePeriodSeconds") is < 0)
        {
            errors.Invalid($"{field}.terminationGracePeriodSeconds", spec["terminationGracePeriodSeconds"], "must be greater than or equal to 0");
        }
    }

    private static void Container(JsonObject container, string field, HashSet<string> volumes, FieldErrors errors)
    {
        if (string.IsNullOrEmpty(container.Text("image")))
        {
            errors.Required($"{field}.image");
        }

        foreach (var (port, at) in Indexed(container, "ports", field))
        {
            PortNumber(port["containerPort"], $"{at}.containerPort", errors);
            if (port.Text("protocol") is { } protocol && !Protocols.Contains(protocol))
            {
                errors.Unsupported($"{at}.protocol", protocol, Protocols);
            }
        }

        foreach (var (variable, at) in Indexed(container, "env", field))
        {
            if (string.IsNullOrEmpty(variable.Text("name")))
            {
                errors.Required($"{at}.name");
            }

            if (variable.Map("valueFrom") is not null && !string.IsNullOrEmpty(variable.Text("value")))
            {
                errors.Invalid($"{at}.valueFrom", "", "may not be specified when `value` is not empty");
            }

            if (variable["value"] is { } value && value.Text() is null)
            {
                errors.TypeInvalid($"{at}.value", value, "must be a string");
            }
        }

        foreach (var (mount, at) in Indexed(container, "volumeMounts", field))
        {
            if (string.IsNullOrEmpty(mount.Text("mountPath")))
            {
                errors.Required($"{at}.mountPath");
            }

            if (mount.Text("name") is not { } name || !volumes.Contains(name))
            {
                errors.NotFound($"{at}.name", mount["name"]);
            }
        }
    }

    /// <summary>1 to 65535; names are for targetPort alone.</summary>
    public static void PortNumber(JsonNode? port, string field, FieldErrors errors)
    {
        if (port is null)
        {
            errors.Required(field);
        }
        else if (port.Number() is not (>= 1 and <= 65535))
        {
            errors.Invalid(field, port, "must be between 1 and 65535, inclusive");
        }
    }

    public static IEnumerable<(JsonObject Item, string Field)> Indexed(JsonObject owner, string list, string field) =>
        owner.Maps(list).Select((item, index) => (item, $"{field}.{list}[{index}]"));

    private static void Unique(JsonObject item, HashSet<string> seen, string field, FieldErrors errors)
    {
        if (item.Text("name") is not { Length: > 0 } name)
        {
            errors.Required($"{field}.name");
        }
        else if (!Names.IsLabel(name))
        {
            errors.Invalid($"{field}.name", name, "must be a lowercase RFC 1123 label");
        }
        else if (!seen.Add(name))
        {
            errors.Duplicate($"{field}.name", name);
        }
    }

    private static void AddContainers(JsonObject pod, JsonObject old, FieldErrors errors)
    {
        foreach (var known in old.Maps("spec", "ephemeralContainers"))
        {
            var still = pod.Maps("spec", "ephemeralContainers").FirstOrDefault(container => container.Text("name") == known.Text("name"));
            if (still is null || !JsonNode.DeepEquals(still, known))
            {
                errors.Forbidden(
                    "spec.ephemeralContainers", $"existing ephemeral containers \"{known.Text("name")}\" may not be {(still is null ? "removed" : "changed")}");
            }
        }
    }

    /// <summary>A pod's spec is fixed but for images, tolerations, the deadline and, through their subresource, ephemeral containers.</summary>
    private static void Update(JsonObject pod, JsonObject old, FieldErrors errors)
    {
        if (!JsonNode.DeepEquals(FixedPart(pod), FixedPart(old)))
        {
            errors.Forbidden(
                "spec",
                "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
                    + "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
                    + "(allow it to be set to 1 if it was previously negative)");
        }
    }

    private static JsonObject FixedPart(JsonObject pod)
    {
        var spec = (pod.Map("spec") ?? []).Clone();
        spec.Remove("tolerations");
        spec.Remove("activeDeadlineSeconds");
        foreach (var container in spec.Maps("containers").Concat(spec.Maps("initContainers")))
        {
            container.Remove("image");
        }

        return spec;
    }
}
