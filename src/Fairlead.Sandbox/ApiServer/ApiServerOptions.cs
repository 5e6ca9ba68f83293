using System.Net;

namespace Fairlead.Sandbox.ApiServer;

/// <summary>How the API server of one cluster is set up.</summary>
public sealed record ApiServerOptions
{
    /// <summary>Where it listens; port 0 lets the kernel choose.</summary>
    public required IPEndPoint Listen { get; init; }

    /// <summary>Names and addresses by which it is reached besides the listening address, localhost and those of the service <c>kubernetes</c>.</summary>
    public IReadOnlyList<string> ServerNames { get; init; } = [];

    public ServiceRanges Services { get; init; } = new(IPNetwork.Parse("10.96.0.0/16"));
}
