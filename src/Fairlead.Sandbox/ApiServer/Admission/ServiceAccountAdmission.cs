using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Kinds;
using Fairlead.Sandbox.ApiServer.Storage;

namespace Fairlead.Sandbox.ApiServer.Admission;

/// <summary>Gives each new pod its service account and, unless it declines, the volume with token, cluster CA and namespace.</summary>
internal sealed class ServiceAccountAdmission(IObjectStore store)
{
    private const string MountPath = "/var/run/secrets/kubernetes.io/serviceaccount";

    /// <summary>What the real admission asks for: an hour, and a few seconds by which to recognise it.</summary>
    private const int TokenSeconds = 3607;

    /// <exception cref="StatusException">403: there is no such account.</exception>
    public void Admit(JsonObject pod)
    {
        var spec = pod.Ensure("spec");
        spec.Default("serviceAccountName", "default");
        spec["serviceAccount"] = spec.Text("serviceAccountName");
        var (@namespace, name) = (pod.Namespace(), spec.Text("serviceAccountName")!);
        var account = store.Get(BuiltInKinds.ServiceAccounts, @namespace, name) ?? throw Failures.Forbidden(
            BuiltInKinds.Pods, pod.Name(), $"error looking up service account {@namespace}/{name}: serviceaccount \"{name}\" not found");
        if (spec.Flag("automountServiceAccountToken") ?? account.Flag("automountServiceAccountToken") ?? true)
        {
            Mount(spec);
        }
    }

    private static void Mount(JsonObject spec)
    {
        var containers = spec.Maps("containers").Concat(spec.Maps("initContainers"))
            .Where(container => container.Maps("volumeMounts").All(mount => mount.Text("mountPath") != MountPath))
            .ToArray();
        if (containers.Length == 0)
        {
            return;
        }

        var volume = $"kube-api-access-{GeneratedName.Suffix()}";
        foreach (var container in containers)
        {
            Append(container, "volumeMounts", new JsonObject { ["name"] = volume, ["readOnly"] = true, ["mountPath"] = MountPath });
        }

        Append(spec, "volumes", new JsonObject
        {
            ["name"] = volume,
            ["projected"] = new JsonObject
            {
                ["sources"] = new JsonArray(
                    new JsonObject { ["serviceAccountToken"] = new JsonObject { ["expirationSeconds"] = TokenSeconds, ["path"] = "token" } },
                    new JsonObject { ["configMap"] = new JsonObject { ["name"] = "kube-root-ca.crt", ["items"] = Item("key", "ca.crt", "ca.crt") } },
                    new JsonObject
                    {
                        ["downwardAPI"] = new JsonObject
                        {
                            ["items"] = Item("fieldRef", new JsonObject { ["apiVersion"] = "v1", ["fieldPath"] = "metadata.namespace" }, "namespace"),
                        },
                    }),
                ["defaultMode"] = 420,
            },
        });
    }

    private static JsonArray Item(string key, JsonNode value, string path) => new(new JsonObject { [key] = value, ["path"] = path });

    private static void Append(JsonObject owner, string list, JsonObject item)
    {
        owner.Default(list, new JsonArray());
        owner[list]!.AsArray().Add((JsonNode)item);
    }
}
