namespace Fairlead.Tunnel.Direct;

/// <summary>An accepted connection of a laptop, whatever its frames.</summary>
internal interface IServerConnection : IAsyncDisposable
{
    PeerIdentity Peer { get; }

    /// <summary>Until the connection ends, and every flow on it; a peer's fault is logged, not thrown.</summary>
    Task RunAsync(CancellationToken cancellationToken);

    /// <summary>Ends it at once, and tells the laptop why if that is possible.</summary>
    void Abort(FlowFailure failure, string message);

    /// <summary>Ends it after a farewell when there was no flow and no ping for so long; zero: because the gateway takes no more of them.</summary>
    void CloseIfIdle(TimeSpan longerThan);
}
