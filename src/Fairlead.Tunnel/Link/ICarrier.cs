namespace Fairlead.Tunnel.Link;

/// <summary>One way to the gateway, as the link uses it. Disposing it leaves flows that are open alone where they have connections of their own.</summary>
internal interface ICarrier : IFlowOpener, IAsyncDisposable
{
    /// <summary>As <see cref="LinkStatus.Carrier"/>.</summary>
    string Name { get; }

    /// <summary>As <see cref="LinkStatus.Gateway"/>.</summary>
    string Where { get; }

    /// <summary>The replicas that answered the last pings, as far as they said their names.</summary>
    IReadOnlyCollection<string> Replicas { get; }

    /// <summary>A request to the gateway's API.</summary>
    /// <exception cref="Tls.CarrierException">No connection could be had.</exception>
    /// <exception cref="HttpRequestException">The connection broke.</exception>
    Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken);

    /// <summary>One round trip over the path that data takes, to any replica; connects first where needed. Replicas that don't answer get no new flows.</summary>
    /// <exception cref="Tls.CarrierException">The gateway can't be reached, or refuses.</exception>
    Task PingAsync(CancellationToken cancellationToken);

    /// <summary>How many replicas the gateway says there are, and the names of their pods.</summary>
    void Expect(IReadOnlyList<string> pods);

    /// <summary>Makes spare connections: flows are about to come.</summary>
    void Warm();

    /// <summary>
    /// It is not in use any more, or lost the race: nothing new goes by it, and no connection of it is left behind, until it is pinged again. Flows
    /// that are open go on; their connections are watched, and closed when the last flow on them has ended.
    /// </summary>
    /// <param name="lost">The path is silent or broken: what waits for its answer is let go, to ask elsewhere.</param>
    void Leave(bool lost);
}
