using System.Collections.Immutable;
using Fairlead.Contracts.Cluster;
using Fairlead.Tunnel;

namespace Fairlead.Gateway.Policy;

/// <summary>The Grants as they are now. One writer (their informer), any number of readers.</summary>
internal sealed class Grants
{
    private ImmutableDictionary<string, GrantSpec> specs = ImmutableDictionary<string, GrantSpec>.Empty;
    private volatile GrantSet current = GrantSet.Empty;

    /// <summary>Called after a change.</summary>
    public Action? Changed { get; set; }

    public void Put(string name, GrantSpec? spec) => Replace(spec is null ? specs.Remove(name) : specs.SetItem(name, spec));

    public Rights Of(PeerIdentity peer) => current.Of(peer.Subject, peer.Group);

    private void Replace(ImmutableDictionary<string, GrantSpec> changed)
    {
        specs = changed;
        current = new GrantSet(changed.Values);
        Changed?.Invoke();
    }
}
