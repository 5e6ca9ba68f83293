using System.Collections.Frozen;
using System.Globalization;
using Fairlead.Contracts.Cluster;
using Fairlead.Kubernetes;
using Fairlead.Tunnel;

namespace Fairlead.Gateway.Identity;

/// <summary>Which subjects' certificates are denied, as the ConfigMap says. One writer (its informer), any number of readers.</summary>
internal sealed class Revocations
{
    /// <summary>
    /// Who revokes writes the API server's time, to the second; a certificate has the time of the gateway that issued it. As far as their clocks may be apart,
    /// a certificate that seems to be younger than the revocation is taken for an older one.
    /// </summary>
    public static readonly TimeSpan ClockTolerance = TimeSpan.FromSeconds(5);

    private volatile FrozenDictionary<string, DateTimeOffset> byKey = FrozenDictionary<string, DateTimeOffset>.Empty;

    /// <summary>Called after a change.</summary>
    public Action? Changed { get; set; }

    /// <summary>
    /// Takes over the ConfigMap's data. A value that can't be read revokes for good: whoever wrote it wanted the subject out.
    /// A ConfigMap that disappears takes nothing back while this gateway runs.
    /// </summary>
    public void Replace(IReadOnlyDictionary<string, string> data)
    {
        byKey = data.ToFrozenDictionary(
            x => x.Key,
            x => DateTimeOffset.TryParse(x.Value, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) ? at : DateTimeOffset.MaxValue);
        Changed?.Invoke();
    }

    /// <summary>As they stand in the cluster now, not as the watch has told yet.</summary>
    /// <exception cref="KubernetesException">The ConfigMap could not be read.</exception>
    public static async Task<Revocations> ReadAsync(KubernetesClient client, CancellationToken cancellationToken)
    {
        var map = await client.GetAsync(Resources.ConfigMaps, client.Connection.Namespace, ClusterObjects.RevocationsConfigMap, cancellationToken);
        var revocations = new Revocations();
        revocations.Replace(map?.Data ?? []);
        return revocations;
    }

    public bool IsRevoked(PeerIdentity peer) => IsRevoked(peer.Subject, peer.Issued);

    public bool IsRevoked(string subject, DateTimeOffset issued) => DeniedUntil(subject) is { } last && issued <= last;

    /// <summary>Certificates issued up to this moment are denied; null when none is.</summary>
    public DateTimeOffset? DeniedUntil(string subject) =>
        RevokedAt(subject) is not { } at ? null : at < DateTimeOffset.MaxValue - ClockTolerance ? at + ClockTolerance : DateTimeOffset.MaxValue;

    /// <summary>As was written; null for who wasn't revoked.</summary>
    public DateTimeOffset? RevokedAt(string subject) => byKey.TryGetValue(ClusterObjects.RevocationKey(subject), out var at) ? at : null;
}
