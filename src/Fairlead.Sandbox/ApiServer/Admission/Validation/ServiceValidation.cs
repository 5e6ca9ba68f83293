using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Admission.Validation;

internal static class ServiceValidation
{
    private static readonly string[] Types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    private static readonly string[] Protocols = ["SCTP", "TCP", "UDP"];
    private static readonly string[] AddressTypes = ["IPv4", "IPv6", "FQDN"];
    private static readonly IPNetwork LinkLocal = IPNetwork.Parse("169.254.0.0/16");
    private static readonly IPNetwork LinkLocalMulticast = IPNetwork.Parse("224.0.0.0/24");
    private static readonly IPNetwork LinkLocalMulticast6 = IPNetwork.Parse("ff02::/16");

    /// <summary>Addresses one slice may hold (https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#distribution).</summary>
    private const int EndpointLimit = 1000;

    public static void Service(ObjectValidation service)
    {
        var (spec, errors) = (service.Value.Map("spec") ?? [], service.Errors);
        var type = spec.Text("type");
        if (type is null || !Types.Contains(type))
        {
            errors.Unsupported("spec.type", spec["type"], Types);
        }

        if (type == "ExternalName")
        {
            if (spec.Text("externalName") is not { Length: > 0 } name)
            {
                errors.Required("spec.externalName");
            }
            else if (!Names.IsSubdomain(name.TrimEnd('.')))
            {
                errors.Invalid("spec.externalName", name, "a lowercase RFC 1123 subdomain is required");
            }

            return;
        }

        Ports(spec, errors);
        if (service.Old is { } old && old.Text("spec", "type") != "ExternalName" && spec.Text("clusterIP") != old.Text("spec", "clusterIP"))
        {
            errors.Invalid("spec.clusterIPs[0]", spec["clusterIP"], "may not change once set");
        }
    }

    public static void EndpointSlice(ObjectValidation slice)
    {
        var (value, errors) = (slice.Value, slice.Errors);
        var type = value.Text("addressType");
        if (type is null)
        {
            errors.Required("addressType");
        }
        else if (!AddressTypes.Contains(type))
        {
            errors.Unsupported("addressType", type, AddressTypes);
        }

        slice.Immutable("field is immutable", "addressType");
        if (value.Maps("endpoints").Count() > EndpointLimit)
        {
            errors.Invalid("endpoints", value.Maps("endpoints").Count(), $"must have at most {EndpointLimit} items");
        }

        foreach (var (endpoint, at) in PodValidation.Indexed(value, "endpoints", "").Select(entry => (entry.Item, entry.Field.TrimStart('.'))))
        {
            if (!endpoint.Texts("addresses").Any())
            {
                errors.Required($"{at}.addresses", "must contain at least 1 address");
            }

            foreach (var (address, index) in endpoint.Texts("addresses").Select((a, i) => (a, i)).Where(_ => type is "IPv4" or "IPv6"))
            {
                if (!IPAddress.TryParse(address, out var parsed) || (parsed.AddressFamily == AddressFamily.InterNetwork) != (type == "IPv4"))
                {
                    errors.Invalid($"{at}.addresses[{index}]", address, $"must be an {type} address");
                }
                else if (WhySpecial(parsed) is { } why)
                {
                    errors.Invalid($"{at}.addresses[{index}]", address, why);
                }
            }
        }
    }

    /// <summary>Addresses that never are an endpoint's, as Kubernetes has them; null for any other.</summary>
    private static string? WhySpecial(IPAddress address) => address switch
    {
        _ when address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any) => "may not be unspecified",
        _ when IPAddress.IsLoopback(address) => "may not be in the loopback range (127.0.0.0/8, ::1/128)",
        _ when address.IsIPv6LinkLocal || LinkLocal.Contains(address) => "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
        _ when LinkLocalMulticast.Contains(address) || LinkLocalMulticast6.Contains(address) => "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
        _ => null,
    };

    private static void Ports(JsonObject spec, FieldErrors errors)
    {
        var ports = PodValidation.Indexed(spec, "ports", "spec").ToArray();
        if (ports.Length == 0 && spec.Text("clusterIP") != "None")
        {
            errors.Required("spec.ports");
        }

        var names = new HashSet<string>();
        var numbers = new HashSet<(long?, string?)>();
        foreach (var (port, at) in ports)
        {
            PodValidation.PortNumber(port["port"], $"{at}.port", errors);
            var name = port.Text("name");
            if (string.IsNullOrEmpty(name))
            {
                if (ports.Length > 1)
                {
                    errors.Required($"{at}.name");
                }
            }
            else if (!Names.IsLabel(name))
            {
                errors.Invalid($"{at}.name", name, "must be a lowercase RFC 1123 label");
            }
            else if (!names.Add(name))
            {
                errors.Duplicate($"{at}.name", name);
            }

            if (port.Text("protocol") is not { } protocol || !Protocols.Contains(protocol))
            {
                errors.Unsupported($"{at}.protocol", port["protocol"], Protocols);
            }
            else if (!numbers.Add((port.Number("port"), protocol)))
            {
                errors.Duplicate(at, port.DeepClone());
            }

            if (port["targetPort"] is { } target && target.Text() is not { Length: > 0 and <= 15 } && target.Number() is not (>= 1 and <= 65535))
            {
                errors.Invalid($"{at}.targetPort", target, "must be between 1 and 65535, inclusive, or the name of a container port");
            }
        }
    }
}
