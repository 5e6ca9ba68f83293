using Fairlead.Tunnel.Tls;

namespace Fairlead.Tunnel.Link;

/// <summary>A connection that lasts, to one replica.</summary>
internal interface IReplicaConnection : IAsyncDisposable
{
    /// <summary>Empty where the gateway doesn't say.</summary>
    string Replica { get; }

    /// <summary>New flows may go by it; false once its end or the replica's was seen.</summary>
    bool IsUsable { get; }

    /// <summary>Nothing goes by it any more.</summary>
    bool IsIdle { get; }

    /// <summary>Bytes that came by it: while there are more, it lives, however late the answer to a ping is.</summary>
    long Received { get; }

    /// <exception cref="CarrierException">The replica does not answer, or goes away.</exception>
    Task PingAsync(CancellationToken cancellationToken);

    /// <summary>It is not used for anything new; what waits for its answer is let go when it was lost.</summary>
    void Retire(bool lost);
}
