using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel.Direct;
using Fairlead.Tunnel.Tls;

namespace Fairlead.Tunnel.Link;

public sealed record TunnelLinkOptions
{
    /// <summary>Where the gateway may be reached, in order of preference.</summary>
    public required IReadOnlyList<GatewayEndpoint> Endpoints { get; init; }

    public required TunnelTls Tls { get; init; }

    /// <summary>How long an open waits for the link before it is refused with <see cref="FlowFailure.LinkDown"/>.</summary>
    public TimeSpan OpenTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Between two pings on the data path.</summary>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Silence on the data path that means the link is down.</summary>
    public TimeSpan HeartbeatTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>For the first ping of a carrier, its dial included.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The bound of the first wait before a redial; doubled each time, up to <see cref="LongestRedial"/>.</summary>
    public TimeSpan FirstRedial { get; init; } = TimeSpan.FromMilliseconds(250);

    public TimeSpan LongestRedial { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Null: HTTPS_PROXY and NO_PROXY of the environment.</summary>
    public System.Net.IWebProxy? Proxy { get; init; }

    public DirectCarrierOptions Direct { get; init; } = new();

    /// <summary>Null where nobody reaches the pods for us.</summary>
    public IPodDialer? Pods { get; init; }

    /// <summary>The gateway's pods as they were last known.</summary>
    public IReadOnlyList<string> PodNames { get; init; } = [];

    /// <summary>The pods' port of the API, as the manifests have it.</summary>
    public const int DefaultPodPort = 8443;

    public int PodPort { get; init; } = DefaultPodPort;

    /// <summary>The pods' port of flows, as the manifests have it.</summary>
    public const int DefaultPodDataPort = 8444;

    public int PodDataPort { get; init; } = DefaultPodDataPort;

    /// <summary>From an attempt to the next best way's, unless that attempt failed before (RFC 8305 §5); longer after rounds in which no way answered.</summary>
    public TimeSpan HeadStart { get; init; } = TimeSpan.FromMilliseconds(250);
}
