using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Images;
using Fairlead.Sandbox.Objects;

namespace Fairlead.Sandbox.Nodes;

/// <summary>What of a plan is the same for all containers of a node, and this container's own directory.</summary>
internal sealed record ContainerPlace(string Layer, string Devices, IReadOnlyList<string> HostMounts, IReadOnlyList<string> Hidden);

/// <summary>Turns a pod's container, its image and its volumes into a plan; pure.</summary>
internal static class ContainerPlanner
{
    /// <summary>
    /// What container runtimes leave to a container that asks for nothing, but for mknod: no device cgroup stands behind it here, and a
    /// device file of the host's disk is the host.
    /// </summary>
    private static readonly string[] DefaultCapabilities =
    [
        "chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap", "net_bind_service", "net_raw", "sys_chroot",
        "audit_write", "setfcap",
    ];

    /// <param name="volumes">Volume name → directory or file of the host.</param>
    /// <exception cref="ContainerConfigException">The container contradicts itself.</exception>
    internal static ContainerPlan Plan(
        JsonObject pod, JsonObject container, Image image, IReadOnlyDictionary<string, string> environment,
        IReadOnlyDictionary<string, string> volumes, IEnumerable<ContainerMount> podMounts, ContainerPlace place)
    {
        var identity = Identity(pod, container, image);
        var variables = new Dictionary<string, string>(environment);
        variables.TryAdd("HOME", identity.IsRoot ? "/root" : "/");
        return new ContainerPlan
        {
            HostName = PodFiles.HostName(pod),
            Command = Command(container, image, environment),
            Environment = [.. variables],
            WorkingDirectory = container.Text("workingDir") ?? image.WorkingDirectory ?? "/",
            Identity = identity,
            Mounts = [.. image.Files.Select(f => new ContainerMount(f.Value, f.Key, true)), .. podMounts, .. Mounts(container, volumes, environment)],
            ReadOnlyRoot = container.Flag("securityContext", "readOnlyRootFilesystem") == true,
            Layer = place.Layer,
            Hidden = place.Hidden,
            HostMounts = place.HostMounts,
            Devices = place.Devices,
            Stdin = container.Flag("stdin") == true,
            Tty = container.Flag("tty") == true,
        };
    }

    /// <summary>As containers combine them: command replaces the entrypoint and drops the image's arguments, args replace those.</summary>
    internal static IReadOnlyList<string> Command(JsonObject container, Image image, IReadOnlyDictionary<string, string> environment)
    {
        var command = container.Texts("command").ToArray();
        var arguments = container.Texts("args").ToArray();
        IEnumerable<string> words = command.Length > 0 ? [.. command, .. arguments]
            : arguments.Length > 0 ? [.. image.Entrypoint, .. arguments]
            : [.. image.Entrypoint, .. image.Arguments];
        string[] expanded = [.. words.Select(word => VariableExpansion.Expand(word, environment))];
        return expanded.Length > 0 ? expanded : throw new ContainerConfigException("no command specified");
    }

    internal static ContainerIdentity Identity(JsonObject pod, JsonObject container, Image image)
    {
        var own = container.At("securityContext");
        var shared = pod.At("spec", "securityContext");
        var uid = own.Number("runAsUser") ?? shared.Number("runAsUser");
        var gid = own.Number("runAsGroup") ?? shared.Number("runAsGroup");
        var user = uid?.ToString() ?? image.User ?? "0";
        var group = gid?.ToString() ?? (uid is null ? image.Group : null) ?? "0";
        if ((own.Flag("runAsNonRoot") ?? shared.Flag("runAsNonRoot")) == true && user is "0" or "root")
        {
            throw new ContainerConfigException("container has runAsNonRoot and image will run as root");
        }

        var groups = shared.At("supplementalGroups") is JsonArray more ? more.Select(g => g.Number()).OfType<int>() : [];
        var all = shared.Number("fsGroup") is { } fsGroup ? groups.Append(fsGroup) : groups;
        var privileged = own.Flag("privileged") == true;
        return new ContainerIdentity(
            user, group, [.. all.Distinct().Select(g => g.ToString())], privileged ? null : Capabilities(own.At("capabilities")),
            !privileged && own.Flag("allowPrivilegeEscalation") == false);
    }

    /// <summary>Null: all of them.</summary>
    private static string[]? Capabilities(JsonNode? changes)
    {
        static string Plain(string name) => name.ToLowerInvariant() is var lower && lower.StartsWith("cap_", StringComparison.Ordinal) ? lower[4..] : lower;
        var add = changes.Texts("add").Select(Plain).ToHashSet();
        var drop = changes.Texts("drop").Select(Plain).ToHashSet();
        if (add.Contains("all"))
        {
            return drop.Count == 0 ? null : throw new ContainerConfigException("the sandbox cannot add ALL capabilities and drop some");
        }

        if (add.Concat(drop).FirstOrDefault(c => !c.All(x => char.IsAsciiLetterOrDigit(x) || x == '_')) is { } odd)
        {
            throw new ContainerConfigException($"\"{odd}\" is not a capability");
        }

        var start = drop.Contains("all") ? [] : DefaultCapabilities.Where(c => !drop.Contains(c));
        return [.. start.Union(add)];
    }

    private static IEnumerable<ContainerMount> Mounts(
        JsonObject container, IReadOnlyDictionary<string, string> volumes, IReadOnlyDictionary<string, string> environment)
    {
        foreach (var mount in container.Maps("volumeMounts"))
        {
            var name = mount.Text("name") ?? "";
            if (!volumes.TryGetValue(name, out var source))
            {
                throw new ContainerConfigException($"no volume is named {name}");
            }

            var target = mount.Text("mountPath") ?? "";
            if (!target.StartsWith('/'))
            {
                target = "/" + target;
            }

            var sub = mount.Text("subPath") ?? VariableExpansion.Expand(mount.Text("subPathExpr") ?? "", environment);
            if (sub.StartsWith('/') || sub.Split('/').Contains("..") || target.Split('/').Contains(".."))
            {
                throw new ContainerConfigException($"the path {target} ({sub}) leaves its volume");
            }

            yield return new ContainerMount(sub.Length == 0 ? source : $"{source}/{sub}", target.TrimEnd('/'), mount.Flag("readOnly") == true);
        }
    }
}
