using System.Collections.Immutable;
using Fairlead.Contracts.Cluster;
using Fairlead.Tunnel;

namespace Fairlead.Gateway.Policy;

/// <summary>What is granted now, by Grants and, to Kubernetes users, by RBAC: either suffices. One writer (the Grants' informer), any number of readers.</summary>
/// <param name="reviews">What RBAC says; null where no such users are.</param>
internal sealed class Grants(AccessReviews? reviews = null)
{
    private ImmutableDictionary<string, GrantSpec> specs = ImmutableDictionary<string, GrantSpec>.Empty;
    private volatile GrantSet current = GrantSet.Empty;

    /// <summary>Called after a change.</summary>
    public Action? Changed { get; set; }

    public void Put(string name, GrantSpec? spec) => Replace(spec is null ? specs.Remove(name) : specs.SetItem(name, spec));

    /// <summary>As far as is known.</summary>
    public Rights Of(PeerIdentity peer) => peer.Account is { } account && reviews is not null ? reviews.Of(account).With(current, peer) : current.Of(peer);

    /// <summary>Has RBAC asked what <see cref="Of"/> will go by, unless what is known is fresh.</summary>
    /// <param name="target">What it is for: the answer is to be about its namespace. Null: about all.</param>
    public async ValueTask ReadyAsync(PeerIdentity peer, FlowTarget? target, CancellationToken cancellationToken)
    {
        if (peer.Account is { } account && reviews is not null)
        {
            var about = target is not null && TargetName.TryParse(target.Host, out var name) ? name.Service.Namespace : null;
            await reviews.AskAsync(account, about, AccessReviews.MaxAge, cancellationToken);
        }
    }

    /// <summary>As <see cref="ReadyAsync"/>, whatever is known already: somebody was just given a right and tries at once.</summary>
    public async ValueTask RefreshAsync(PeerIdentity peer, CancellationToken cancellationToken)
    {
        if (peer.Account is { } account && reviews is not null)
        {
            await reviews.AskAsync(account, null, TimeSpan.Zero, cancellationToken);
        }
    }

    private void Replace(ImmutableDictionary<string, GrantSpec> changed)
    {
        specs = changed;
        current = new GrantSet(changed.Values);
        Changed?.Invoke();
    }
}
