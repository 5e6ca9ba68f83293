using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Admission.Defaults;

/// <summary>What the API fills into pods and pod templates.</summary>
internal static class PodDefaults
{
    public static void Pod(JsonObject pod)
    {
        Spec(pod.Ensure("spec"));
        pod.Ensure("status").Default("phase", "Pending");
    }

    public static void Template(JsonObject template)
    {
        template.Ensure("metadata");
        Spec(template.Ensure("spec"));
    }

    private static void Spec(JsonObject spec)
    {
        spec.Default("restartPolicy", "Always");
        spec.Default("terminationGracePeriodSeconds", 30);
        spec.Default("dnsPolicy", "ClusterFirst");
        spec.Default("securityContext", new JsonObject());
        spec.Default("schedulerName", "default-scheduler");
        // The old name of the field, which many manifests still have; each follows the other.
        spec.Default("serviceAccountName", spec.Text("serviceAccount"));
        spec.Default("serviceAccount", spec.Text("serviceAccountName"));
        foreach (var container in spec.Maps("containers").Concat(spec.Maps("initContainers")).Concat(spec.Maps("ephemeralContainers")))
        {
            Container(container);
        }

        foreach (var volume in spec.Maps("volumes"))
        {
            Volume(volume);
        }
    }

    private static void Container(JsonObject container)
    {
        container.Default("resources", new JsonObject());
        container.Default("terminationMessagePath", "/dev/termination-log");
        container.Default("terminationMessagePolicy", "File");
        container.Default("imagePullPolicy", PullPolicy(container.Text("image") ?? ""));
        foreach (var port in container.Maps("ports"))
        {
            port.Default("protocol", "TCP");
        }

        foreach (var variable in container.Maps("env"))
        {
            variable.Map("valueFrom", "fieldRef")?.Default("apiVersion", "v1");
        }

        foreach (var probe in (ReadOnlySpan<string>)["livenessProbe", "readinessProbe", "startupProbe"])
        {
            Probe(container.Map(probe));
        }

        foreach (var hook in (ReadOnlySpan<string>)["postStart", "preStop"])
        {
            HttpGet(container.Map("lifecycle", hook, "httpGet"));
        }
    }

    private static string PullPolicy(string image)
    {
        var name = image[(image.LastIndexOf('/') + 1)..];
        return name.EndsWith(":latest") || !name.AsSpan().ContainsAny(':', '@') ? "Always" : "IfNotPresent";
    }

    private static void Probe(JsonObject? probe)
    {
        if (probe is null)
        {
            return;
        }

        probe.Default("timeoutSeconds", 1);
        probe.Default("periodSeconds", 10);
        probe.Default("successThreshold", 1);
        probe.Default("failureThreshold", 3);
        HttpGet(probe.Map("httpGet"));
    }

    private static void HttpGet(JsonObject? get)
    {
        get?.Default("path", "/");
        get?.Default("scheme", "HTTP");
    }

    private static void Volume(JsonObject volume)
    {
        foreach (var source in (ReadOnlySpan<string>)["configMap", "secret", "downwardAPI", "projected"])
        {
            volume.Map(source)?.Default("defaultMode", 420);
        }

        volume.Map("hostPath")?.Default("type", "");
        foreach (var item in volume.Maps("projected", "sources").SelectMany(source => source.Maps("downwardAPI", "items")).Concat(volume.Maps("downwardAPI", "items")))
        {
            item.Map("fieldRef")?.Default("apiVersion", "v1");
        }

        foreach (var token in volume.Maps("projected", "sources").Select(source => source.Map("serviceAccountToken")))
        {
            token?.Default("expirationSeconds", 3600);
        }
    }
}
