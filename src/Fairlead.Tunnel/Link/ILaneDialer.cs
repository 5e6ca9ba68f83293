using Fairlead.Tunnel.Tls;

namespace Fairlead.Tunnel.Link;

/// <summary>What a connection of a <see cref="SharedLinkCarrier"/> leads to.</summary>
internal enum LanePort
{
    /// <summary>The gateway's API: HTTP/2 over TLS.</summary>
    Api,

    /// <summary>What takes connections that flows share: frames of docs/adr/0004 over TLS.</summary>
    Flows,
}

/// <summary>The way of a <see cref="SharedLinkCarrier"/> to the gateway. Thread-safe.</summary>
internal interface ILaneDialer
{
    /// <summary>As <see cref="ICarrier.Name"/>.</summary>
    string Name { get; }

    /// <summary>As <see cref="ICarrier.Where"/>.</summary>
    string Where { get; }

    /// <param name="inUse">The replicas that connections of this kind lead to already, one name for each.</param>
    /// <returns>A byte stream on which nobody has proved anything yet.</returns>
    /// <exception cref="CarrierException">None could be had.</exception>
    Task<Stream> DialAsync(LanePort port, IReadOnlyList<string> inUse, CancellationToken cancellationToken);

    /// <summary>As <see cref="ICarrier.Expect"/>.</summary>
    void Expect(IReadOnlyList<string> pods);
}
