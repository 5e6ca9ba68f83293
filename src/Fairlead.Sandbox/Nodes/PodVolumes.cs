using System.Text;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Network;
using Fairlead.Sandbox.Objects;

namespace Fairlead.Sandbox.Nodes;

/// <summary>
/// A pod's volumes as directories of the host. <see cref="Refresh"/> is called at the start and whenever a ConfigMap or Secret changes
/// or a token ages; it rewrites what differs.
/// </summary>
internal sealed class PodVolumes(NodeContext node, string podAddress)
{
    private const int DefaultMode = 0x1a4;      // 0644
    private static readonly TimeSpan TokenLife = TimeSpan.FromHours(1);

    private readonly Lock gate = new();
    private readonly Dictionary<string, (string Token, DateTimeOffset RenewAt)> tokens = [];

    /// <summary>Volume name → directory or file.</summary>
    internal IReadOnlyDictionary<string, string> Paths { get; private set; } = new Dictionary<string, string>();

    /// <exception cref="ContainerConfigException">Something a volume names is missing.</exception>
    internal void Refresh(JsonObject pod)
    {
        lock (gate)
        {
            RefreshAll(pod);
        }
    }

    private void RefreshAll(JsonObject pod)
    {
        var paths = new Dictionary<string, string>();
        foreach (var volume in pod.Maps("spec", "volumes"))
        {
            var name = volume.Text("name") ?? "";
            paths[name] = Prepare(pod, volume, name);
        }

        Paths = paths;
    }

    private string Prepare(JsonObject pod, JsonObject volume, string name)
    {
        var files = new Dictionary<string, VolumeFile>();
        if (volume.At("configMap") is { } map)
        {
            AddConfigMap(files, pod, map, map.Number("defaultMode") ?? DefaultMode);
            return Write(pod, name, files);
        }

        if (volume.At("secret") is { } secret)
        {
            AddSecret(files, pod, secret, secret.Text("secretName"), secret.Number("defaultMode") ?? DefaultMode);
            return Write(pod, name, files);
        }

        if (volume.At("downwardAPI") is { } downward)
        {
            AddFields(files, pod, downward, downward.Number("defaultMode") ?? DefaultMode);
            return Write(pod, name, files);
        }

        if (volume.At("projected") is { } projected)
        {
            var mode = projected.Number("defaultMode") ?? DefaultMode;
            foreach (var source in projected.Maps("sources"))
            {
                AddProjected(files, pod, source, mode);
            }

            return Write(pod, name, files);
        }

        if (volume.At("emptyDir") is { } empty)
        {
            var parent = empty.Text("medium") == "Memory" ? node.Directories.PodVolatile(pod.Uid()) : node.Directories.PodData(pod.Uid());
            return Shared(pod, Path.Combine(parent, "volumes", name));
        }

        if (volume.At("hostPath") is { } host)
        {
            return HostPath(host.Text("path") ?? "", host.Text("type") ?? "");
        }

        if (volume.At("persistentVolumeClaim") is { } claim)
        {
            return Claimed(pod, claim.Text("claimName") ?? "");
        }

        throw new ContainerConfigException($"the volume {name} is of a kind that the sandbox does not have");
    }

    private void AddProjected(Dictionary<string, VolumeFile> files, JsonObject pod, JsonObject source, int mode)
    {
        if (source.At("configMap") is { } map)
        {
            AddConfigMap(files, pod, map, mode);
        }
        else if (source.At("secret") is { } secret)
        {
            AddSecret(files, pod, secret, secret.Text("name"), mode);
        }
        else if (source.At("downwardAPI") is { } downward)
        {
            AddFields(files, pod, downward, mode);
        }
        else if (source.At("serviceAccountToken") is { } token)
        {
            var life = TimeSpan.FromSeconds(token.Number("expirationSeconds") ?? (int)TokenLife.TotalSeconds);
            AddToken(files, pod, token.Text("path") ?? "token", token.Text("audience"), life, mode);
        }
        else
        {
            throw new ContainerConfigException("a projected volume has a source of a kind that the sandbox does not have");
        }
    }

    private void AddConfigMap(Dictionary<string, VolumeFile> files, JsonObject pod, JsonNode reference, int mode)
    {
        var name = reference.Text("name") ?? "";
        var data = new Dictionary<string, byte[]>();
        if (node.Sources.ConfigMap(pod.Namespace(), name) is not { } found)
        {
            if (reference.Flag("optional") != true)
            {
                throw new ContainerConfigException($"configmap \"{name}\" not found");
            }
        }
        else
        {
            foreach (var (key, value) in found.Pairs("data"))
            {
                data[key] = Encoding.UTF8.GetBytes(value);
            }

            foreach (var (key, value) in found.Pairs("binaryData"))
            {
                data[key] = SecretData.Decode(value);
            }
        }

        AddKeys(files, reference, data, mode, $"configmap \"{name}\"");
    }

    private void AddSecret(Dictionary<string, VolumeFile> files, JsonObject pod, JsonNode reference, string? name, int mode)
    {
        var found = node.Sources.Secret(pod.Namespace(), name ?? "");
        if (found is null && reference.Flag("optional") != true)
        {
            throw new ContainerConfigException($"secret \"{name}\" not found");
        }

        AddKeys(files, reference, found.Pairs("data").ToDictionary(d => d.Key, d => SecretData.Decode(d.Value)), mode, $"secret \"{name}\"");
    }

    private static void AddKeys(Dictionary<string, VolumeFile> files, JsonNode reference, Dictionary<string, byte[]> data, int mode, string what)
    {
        if (reference.At("items") is not JsonArray)
        {
            foreach (var (key, value) in data)
            {
                files[key] = new VolumeFile(value, (UnixFileMode)mode);
            }

            return;
        }

        foreach (var item in reference.Maps("items"))
        {
            var key = item.Text("key") ?? "";
            if (data.TryGetValue(key, out var value))
            {
                files[item.Text("path") ?? key] = new VolumeFile(value, (UnixFileMode)(item.Number("mode") ?? mode));
            }
            else if (reference.Flag("optional") != true)
            {
                throw new ContainerConfigException($"{what} has no key {key}");
            }
        }
    }

    private void AddFields(Dictionary<string, VolumeFile> files, JsonObject pod, JsonNode downward, int mode)
    {
        foreach (var item in downward.Maps("items"))
        {
            var container = pod.Maps("spec", "containers").FirstOrDefault(c => c.Text("name") == item.Text("resourceFieldRef", "containerName"));
            var value = item.At("resourceFieldRef") is { } resource
                ? PodFields.Resource(container ?? [], resource.Text("resource") ?? "", resource.IntOrText("divisor"))
                : PodFields.Field(pod, item.Text("fieldRef", "fieldPath") ?? "", podAddress, node.Network.Layout.NodeAddress.ToString());
            Add(files, item.Text("path") ?? "", value, item.Number("mode") ?? mode);
        }
    }

    private void AddToken(Dictionary<string, VolumeFile> files, JsonObject pod, string path, string? audience, TimeSpan life, int mode)
    {
        var now = node.Time.GetUtcNow();
        var id = $"{audience} {path}";
        if (!tokens.TryGetValue(id, out var token) || token.RenewAt <= now)
        {
            var wish = new TokenWish(pod.Namespace(), pod.Name(), audience, life);
            token = (node.Tokens(wish), now + (life * 0.8));
            tokens[id] = token;
        }

        Add(files, path, token.Token, mode);
    }

    private static void Add(Dictionary<string, VolumeFile> files, string path, string content, int mode) =>
        files[path] = new VolumeFile(Encoding.UTF8.GetBytes(content), (UnixFileMode)mode);

    private string Write(JsonObject pod, string name, Dictionary<string, VolumeFile> files)
    {
        var directory = Path.Combine(node.Directories.PodVolatile(pod.Uid()), "volumes", name);
        AtomicDirectory.Write(directory, files, pod.Number("spec", "securityContext", "fsGroup"));
        return directory;
    }

    /// <summary>A directory that any container of the pod may write to, as a kubelet makes them.</summary>
    private static string Shared(JsonObject pod, string directory)
    {
        if (!Directory.Exists(directory))
        {
            Directory.CreateDirectory(directory);
            var setGroup = pod.Number("spec", "securityContext", "fsGroup") is null ? UnixFileMode.None : UnixFileMode.SetGroup;
            Linux.Namespaces.HostFiles.ChangeOwner(directory, null, pod.Number("spec", "securityContext", "fsGroup"));
            File.SetUnixFileMode(directory, (UnixFileMode)0x1ff | setGroup);
        }

        return directory;
    }

    private string Claimed(JsonObject pod, string name)
    {
        var claim = node.Store.Get(Kinds.PersistentVolumeClaims, pod.Namespace(), name)
            ?? throw new ContainerConfigException($"persistentvolumeclaim \"{name}\" not found");
        if (claim.Text("status", "phase") != "Bound" || claim.Text("spec", "volumeName") is not { Length: > 0 } volumeName
            || node.Store.Get(Kinds.PersistentVolumes, null, volumeName) is not { } volume)
        {
            throw new ContainerConfigException($"pod has unbound immediate PersistentVolumeClaims: {name}");
        }

        var path = volume.Text("spec", "hostPath", "path")
            ?? throw new ContainerConfigException($"the PersistentVolume {volumeName} is not a hostPath, the only kind that the sandbox has");
        return HostPath(path, volume.Text("spec", "hostPath", "type") ?? "");
    }

    private static string HostPath(string path, string type)
    {
        if (!Path.IsPathRooted(path))
        {
            throw new ContainerConfigException($"hostPath \"{path}\" is not absolute");
        }

        switch (type)
        {
            case "DirectoryOrCreate":
                Directory.CreateDirectory(path);
                break;
            case "FileOrCreate" when !File.Exists(path):
                File.WriteAllBytes(path, []);
                break;
            case "Directory" when !Directory.Exists(path):
            case "File" when !File.Exists(path):
            case "" when !Path.Exists(path):
                throw new ContainerConfigException($"hostPath type check failed: {path} is not {(type.Length == 0 ? "there" : "a " + type)}");
        }

        return path.TrimEnd('/');
    }
}
