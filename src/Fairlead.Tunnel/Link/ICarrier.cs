namespace Fairlead.Tunnel.Link;

/// <summary>One way to one endpoint, as the link uses it. Disposing it leaves flows that are open alone where they have connections of their own.</summary>
internal interface ICarrier : IFlowOpener, IAsyncDisposable
{
    /// <summary>As <see cref="LinkStatus.Carrier"/>.</summary>
    string Name { get; }

    /// <summary>As <see cref="LinkStatus.Gateway"/>.</summary>
    string Where { get; }

    /// <summary>An authenticated connection to the gateway's API by this way.</summary>
    /// <exception cref="Tls.CarrierException">None could be had.</exception>
    Task<Stream> ConnectApiAsync(CancellationToken cancellationToken);

    /// <summary>One round trip over the path that data takes; connects first where needed.</summary>
    /// <exception cref="Tls.CarrierException">The gateway can't be reached, or refuses.</exception>
    Task PingAsync(CancellationToken cancellationToken);

    /// <summary>Makes spare connections: flows are about to come.</summary>
    void Warm();

    /// <summary>The path is in doubt: nothing idle on it is used again.</summary>
    Task QuiesceAsync();
}
