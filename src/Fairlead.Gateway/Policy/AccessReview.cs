using Fairlead.Contracts.Cluster;
using Fairlead.Tunnel;

namespace Fairlead.Gateway.Policy;

/// <summary>What the API server said of one account at one moment: in which namespaces it may consume. Immutable but for a memo.</summary>
/// <param name="Asked">The namespaces that it was asked about.</param>
/// <param name="Allowed">Those of them that it allows.</param>
/// <param name="Everywhere">In every namespace there is or will be.</param>
/// <param name="At">When it was asked, in <see cref="TimeProvider.GetTimestamp"/>'s units.</param>
/// <param name="Failure">Why it could not be asked for so long that nothing is known; null when it could.</param>
internal sealed record AccessReview(IReadOnlySet<string> Asked, IReadOnlySet<string> Allowed, bool Everywhere, long At, string? Failure = null)
{
    private (GrantSet Grants, Rights Rights)? memo;

    public static AccessReview Unknown(string why) => new(new HashSet<string>(), new HashSet<string>(), Everywhere: false, At: 0, why);

    public bool Says(string @namespace) => Everywhere || Asked.Contains(@namespace);

    public bool SameAs(AccessReview? other) => other is not null && Everywhere == other.Everywhere && Failure == other.Failure && Allowed.SetEquals(other.Allowed);

    /// <summary>What Grants and RBAC together allow: either suffices.</summary>
    public Rights With(GrantSet grants, PeerIdentity peer)
    {
        if (memo is { } known && known.Grants == grants)
        {
            return known.Rights;
        }

        var rules = grants.RulesOf(peer).ToList();
        if (Everywhere || Allowed.Count > 0)
        {
            rules.Add(new GrantRule(Everywhere ? ["*"] : [.. Allowed.Order(StringComparer.Ordinal)]));
        }

        var rights = new Rights(
            rules,
            Failure is null
                ? $"RBAC does not let {peer.Account!.Name} {GrantVerbs.Consume} {ClusterObjects.SpacesResource}.{ClusterObjects.Group} in its namespace"
                : $"whether RBAC allows it is not known: {Failure}",
            Failure);
        memo = (grants, rights);
        return rights;
    }
}
