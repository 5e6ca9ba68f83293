using System.Text;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Network;
using Fairlead.Sandbox.Objects;

namespace Fairlead.Sandbox.Nodes;

/// <summary>A container cannot be configured yet (CreateContainerConfigError): something it names is missing or contradicts itself.</summary>
internal sealed class ContainerConfigException(string message) : Exception(message);

/// <summary>Where a pod's references are looked up.</summary>
internal interface IPodSources
{
    JsonObject? ConfigMap(string @namespace, string name);

    JsonObject? Secret(string @namespace, string name);

    /// <summary>The Services of the namespace, and <c>kubernetes</c> of <c>default</c>.</summary>
    IEnumerable<JsonObject> Services(string @namespace);
}

/// <summary>The environment of a container: image, service variables, envFrom, env, in that order, later ones win.</summary>
internal static class ContainerEnvironment
{
    internal static IReadOnlyDictionary<string, string> Build(
        JsonObject pod, JsonObject container, IReadOnlyDictionary<string, string> image, string podAddress, string nodeAddress, IPodSources sources)
    {
        var result = new Dictionary<string, string>
        {
            ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ["HOSTNAME"] = PodFiles.HostName(pod),
        };
        Merge(result, image);
        foreach (var service in sources.Services(pod.Namespace()))
        {
            if (pod.Flag("spec", "enableServiceLinks") != false || (service.Name() == "kubernetes" && service.Namespace() == "default"))
            {
                AddService(result, service);
            }
        }

        foreach (var source in container.Maps("envFrom"))
        {
            Merge(result, From(pod, source, sources));
        }

        foreach (var variable in container.Maps("env"))
        {
            var name = variable.Text("name") ?? "";
            var value = variable.At("valueFrom") is JsonObject from
                ? Value(pod, container, from, podAddress, nodeAddress, sources)
                : VariableExpansion.Expand(variable.Text("value") ?? "", result);
            if (value is not null)
            {
                result[name] = value;
            }
        }

        return result;
    }

    private static IEnumerable<KeyValuePair<string, string>> From(JsonObject pod, JsonObject source, IPodSources sources)
    {
        var prefix = source.Text("prefix") ?? "";
        var isMap = source.At("configMapRef") is not null;
        var reference = source.At(isMap ? "configMapRef" : "secretRef");
        var name = reference.Text("name") ?? "";
        var found = isMap ? sources.ConfigMap(pod.Namespace(), name) : sources.Secret(pod.Namespace(), name);
        if (found is null)
        {
            return reference.Flag("optional") == true ? [] : throw Missing(isMap, name);
        }

        var data = isMap
            ? found.Pairs("data")
            : found.Pairs("data").Select(d => new KeyValuePair<string, string>(d.Key, Encoding.UTF8.GetString(SecretData.Decode(d.Value))));
        return data.Select(d => new KeyValuePair<string, string>(prefix + d.Key, d.Value));
    }

    private static string? Value(
        JsonObject pod, JsonObject container, JsonObject from, string podAddress, string nodeAddress, IPodSources sources)
    {
        if (from.At("fieldRef") is { } field)
        {
            return PodFields.Field(pod, field.Text("fieldPath") ?? "", podAddress, nodeAddress);
        }

        if (from.At("resourceFieldRef") is { } resource)
        {
            return PodFields.Resource(container, resource.Text("resource") ?? "", resource.IntOrText("divisor"));
        }

        var isMap = from.At("configMapKeyRef") is not null;
        var reference = from.At(isMap ? "configMapKeyRef" : "secretKeyRef")
            ?? throw new ContainerConfigException("an env entry has a valueFrom of a kind that the sandbox does not know");
        var (name, key) = (reference.Text("name") ?? "", reference.Text("key") ?? "");
        var optional = reference.Flag("optional") == true;
        var found = isMap ? sources.ConfigMap(pod.Namespace(), name) : sources.Secret(pod.Namespace(), name);
        if (found is null)
        {
            return optional ? null : throw Missing(isMap, name);
        }

        var value = found.Text("data", key);
        return value is null
            ? optional ? null : throw new ContainerConfigException($"couldn't find key {key} in {(isMap ? "ConfigMap" : "Secret")} {pod.Namespace()}/{name}")
            : isMap ? value : Encoding.UTF8.GetString(SecretData.Decode(value));
    }

    private static ContainerConfigException Missing(bool isMap, string name) => new($"{(isMap ? "configmap" : "secret")} \"{name}\" not found");

    private static void AddService(Dictionary<string, string> result, JsonObject service)
    {
        if (service.Text("spec", "clusterIP") is not { Length: > 0 } address || address == "None")
        {
            return;
        }

        var prefix = service.Name().ToUpperInvariant().Replace('-', '_');
        var first = true;
        foreach (var port in service.Maps("spec", "ports"))
        {
            if (port.Number("port") is not { } number)
            {
                continue;
            }

            var protocol = (port.Text("protocol") ?? "TCP").ToLowerInvariant();
            var url = $"{protocol}://{address}:{number}";
            if (first)
            {
                result[$"{prefix}_SERVICE_HOST"] = address;
                result[$"{prefix}_SERVICE_PORT"] = number.ToString();
                result[$"{prefix}_PORT"] = url;
                first = false;
            }

            if (port.Text("name") is { Length: > 0 } name)
            {
                result[$"{prefix}_SERVICE_PORT_{name.ToUpperInvariant().Replace('-', '_')}"] = number.ToString();
            }

            var link = $"{prefix}_PORT_{number}_{protocol.ToUpperInvariant()}";
            result[link] = url;
            result[link + "_PROTO"] = protocol;
            result[link + "_PORT"] = number.ToString();
            result[link + "_ADDR"] = address;
        }
    }

    private static void Merge(Dictionary<string, string> into, IEnumerable<KeyValuePair<string, string>> from)
    {
        foreach (var (name, value) in from)
        {
            into[name] = value;
        }
    }
}

internal static class SecretData
{
    /// <summary>Base64 of a Secret's data.</summary>
    internal static byte[] Decode(string text)
    {
        try
        {
            return Convert.FromBase64String(text);
        }
        catch (FormatException)
        {
            throw new ContainerConfigException("a Secret holds data that is not base64");
        }
    }
}
