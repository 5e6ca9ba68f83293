using Fairlead.Contracts.Cluster;
using Fairlead.Tunnel;

namespace Fairlead.Gateway.Policy;

/// <summary>Where RBAC gives an account one right.</summary>
/// <param name="Everywhere">In every namespace there is or will be.</param>
/// <param name="Namespaces">Those of the namespaces that were asked about; empty when it is everywhere.</param>
internal sealed record AccessScope(bool Everywhere, IReadOnlySet<string> Namespaces)
{
    public static readonly AccessScope Nowhere = new(false, new HashSet<string>());

    public bool SameAs(AccessScope other) => Everywhere == other.Everywhere && Namespaces.SetEquals(other.Namespaces);

    /// <summary>The same as a Grant's rule would say it; null when there is none.</summary>
    public GrantRule? ToRule(string verb) =>
        Everywhere ? new GrantRule(["*"], Verbs: [verb])
        : Namespaces.Count > 0 ? new GrantRule([.. Namespaces.Order(StringComparer.Ordinal)], Verbs: [verb])
        : null;
}

/// <summary>What the API server said of one account at one moment: where it may consume and where attach. Immutable but for a memo.</summary>
/// <param name="Asked">The namespaces that it was asked about.</param>
/// <param name="At">When it was asked, in <see cref="TimeProvider.GetTimestamp"/>'s units.</param>
/// <param name="Failure">Why it could not be asked for so long that nothing is known; null when it could.</param>
internal sealed record AccessReview(IReadOnlySet<string> Asked, AccessScope Consume, AccessScope Attach, long At, string? Failure = null)
{
    private (GrantSet Grants, Rights Rights)? memo;

    public static AccessReview Unknown(string why) => new(new HashSet<string>(), AccessScope.Nowhere, AccessScope.Nowhere, At: 0, why);

    public bool Says(string @namespace) => (Consume.Everywhere && Attach.Everywhere) || Asked.Contains(@namespace);

    public bool SameAs(AccessReview? other) => other is not null && Failure == other.Failure && Consume.SameAs(other.Consume) && Attach.SameAs(other.Attach);

    /// <summary>What Grants and RBAC together allow: either suffices.</summary>
    public Rights With(GrantSet grants, PeerIdentity peer)
    {
        if (memo is { } known && known.Grants == grants)
        {
            return known.Rights;
        }

        var byRbac = new[] { Consume.ToRule(GrantVerbs.Consume), Attach.ToRule(GrantVerbs.Attach) }.OfType<GrantRule>();
        var rights = new Rights([.. grants.RulesOf(peer), .. byRbac], peer.Account!.Name, Failure);
        memo = (grants, rights);
        return rights;
    }
}
