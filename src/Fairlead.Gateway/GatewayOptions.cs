using System.Globalization;
using System.Net;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Gateway;

/// <summary>What the Deployment tells the gateway, by environment variables (deploy/manifests).</summary>
internal sealed record GatewayOptions
{
    /// <summary>POD_IP: every listener binds to it. Absent: to all addresses.</summary>
    public IPAddress Address { get; init; } = IPAddress.Any;

    /// <summary>FAIRLEAD_API_PORT; 0 lets the kernel choose, as for the others.</summary>
    public int ApiPort { get; init; } = 8443;

    /// <summary>FAIRLEAD_DATA_PORT: the direct carrier.</summary>
    public int DataPort { get; init; } = 8444;

    /// <summary>FAIRLEAD_HEALTH_PORT: health and metrics, plain HTTP.</summary>
    public int HealthPort { get; init; } = 8080;

    /// <summary>FAIRLEAD_SPACE_NAME: what people call the space.</summary>
    public string SpaceName { get; init; } = "default";

    /// <summary>FAIRLEAD_ENDPOINTS: <c>host:apiPort:dataPort</c>, comma-separated; absent: found from the Service and the nodes.</summary>
    public IReadOnlyList<GatewayEndpoint> Endpoints { get; init; } = [];

    /// <summary>FAIRLEAD_INGRESS_HOST: an HTTP ingress leads from port 443 of this host to the API's port, which WebSockets pass.</summary>
    public GatewayEndpoint? Ingress { get; init; }

    /// <summary>FAIRLEAD_NAMESPACES: the only ones whose services are served and watched, comma-separated; absent: all.</summary>
    public IReadOnlyList<string> Namespaces { get; init; } = [];

    /// <summary>FAIRLEAD_AGENT_NAMESPACES: where the gateway may place its agent beside a workload, comma-separated; absent: nowhere.</summary>
    public IReadOnlyList<string> AgentNamespaces { get; init; } = [];

    /// <summary>FAIRLEAD_SERVICE_SUBNETS: CIDRs of ClusterIPs, comma-separated; absent: found.</summary>
    public IReadOnlyList<IPNetwork> ServiceSubnets { get; init; } = [];

    /// <summary>FAIRLEAD_POD_SUBNETS: CIDRs of pods, comma-separated; absent: found.</summary>
    public IReadOnlyList<IPNetwork> PodSubnets { get; init; } = [];

    /// <summary>FAIRLEAD_DRAIN_SECONDS: how long open flows may go on after SIGTERM; below the pod's terminationGracePeriodSeconds.</summary>
    public TimeSpan DrainGrace { get; init; } = TimeSpan.FromSeconds(25);

    /// <summary>HOSTNAME: the kubelet sets it to the pod's name. It tells this replica from the others.</summary>
    public string Pod { get; init; } = Environment.MachineName;

    /// <summary>FAIRLEAD_CLUSTER_DOMAIN; absent: from resolv.conf.</summary>
    public string? ClusterDomain { get; init; }

    public string ResolverConfiguration { get; init; } = "/etc/resolv.conf";

    /// <exception cref="FormatException">A variable makes no sense; the message names it.</exception>
    public static GatewayOptions FromEnvironment(Func<string, string?> read)
    {
        var defaults = new GatewayOptions();
        return new GatewayOptions
        {
            Address = Text("POD_IP") is { } address
                ? IPAddress.TryParse(address, out var parsed) ? parsed : throw new FormatException($"POD_IP '{address}' is not an address")
                : defaults.Address,
            ApiPort = Number("FAIRLEAD_API_PORT", 65535) ?? defaults.ApiPort,
            DataPort = Number("FAIRLEAD_DATA_PORT", 65535) ?? defaults.DataPort,
            HealthPort = Number("FAIRLEAD_HEALTH_PORT", 65535) ?? defaults.HealthPort,
            SpaceName = Text("FAIRLEAD_SPACE_NAME") is { } name
                ? Subjects.IsLabel(name) ? name : throw new FormatException($"FAIRLEAD_SPACE_NAME '{name}' is not a name of lower-case letters, digits and hyphens")
                : defaults.SpaceName,
            Endpoints = [.. (Text("FAIRLEAD_ENDPOINTS") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(ParseEndpoint)],
            Ingress = Text("FAIRLEAD_INGRESS_HOST") is not { } host ? null
                : Uri.CheckHostName(host) == UriHostNameType.Dns ? new GatewayEndpoint(host, 443, 0)
                : throw new FormatException($"FAIRLEAD_INGRESS_HOST '{host}' is not a host's name"),
            Namespaces = NamespacesOf("FAIRLEAD_NAMESPACES"),
            AgentNamespaces = NamespacesOf("FAIRLEAD_AGENT_NAMESPACES"),
            ServiceSubnets = Networks("FAIRLEAD_SERVICE_SUBNETS"),
            PodSubnets = Networks("FAIRLEAD_POD_SUBNETS"),
            DrainGrace = Number("FAIRLEAD_DRAIN_SECONDS", 3600) is { } seconds ? TimeSpan.FromSeconds(seconds) : defaults.DrainGrace,
            Pod = Text("HOSTNAME") ?? defaults.Pod,
            ClusterDomain = Text("FAIRLEAD_CLUSTER_DOMAIN"),
        };

        string? Text(string variable) => read(variable) is { Length: > 0 } value ? value : null;

        IReadOnlyList<string> NamespacesOf(string variable) =>
            [.. SettingText.Entries(Text(variable) ?? "").Select(ns => Subjects.IsLabel(ns) ? ns : throw new FormatException($"{variable}: '{ns}' is not a namespace"))];

        IReadOnlyList<IPNetwork> Networks(string variable) =>
            [.. SettingText.Entries(Text(variable) ?? "").Select(cidr => SettingText.IsNetwork(cidr) ? IPNetwork.Parse(cidr) : throw new FormatException($"{variable}: '{cidr}' is not a CIDR without host bits"))];

        int? Number(string variable, int max) => Text(variable) is not { } text ? null
            : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= max ? number
            : throw new FormatException($"{variable} '{text}' is not a number of 0 to {max}");
    }

    /// <summary><c>host:apiPort:dataPort</c>; an IPv6 address stands in brackets.</summary>
    internal static GatewayEndpoint ParseEndpoint(string text)
    {
        var last = text.LastIndexOf(':');
        var middle = last > 0 ? text.LastIndexOf(':', last - 1) : -1;
        return middle > 0
            && int.TryParse(text.AsSpan(last + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var data) && data <= 65535
            && int.TryParse(text.AsSpan(middle + 1, last - middle - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var api) && api is > 0 and <= 65535
            && Uri.CheckHostName(text[..middle]) != UriHostNameType.Unknown
            ? new GatewayEndpoint(text[..middle].Trim('[', ']'), api, data)
            : throw new FormatException($"FAIRLEAD_ENDPOINTS: '{text}' is not host:apiPort:dataPort");
    }
}
