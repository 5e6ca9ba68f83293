using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;
using Fairlead.Tunnel;

namespace Fairlead.Gateway.Identity;

/// <summary>Who a client certificate stands for, or why nobody. Thread-safe and fast: the chain is built once per certificate.</summary>
internal sealed class ClientCertificates(SpaceAuthority authority, Revocations revocations, TimeProvider time)
{
    /// <summary>More than the certificates that a large space uses in a day; when full it is emptied, and the next connections build chains again.</summary>
    private const int MaxRemembered = 16384;

    /// <summary>
    /// For so long after its end a certificate may still be exchanged for a new one (docs/adr/0008): a laptop that was off for a holiday comes back, one that
    /// nobody has used for a season, or a copy of its disk, doesn't.
    /// </summary>
    public static readonly TimeSpan RenewableFor = TimeSpan.FromDays(90);

    /// <summary>Of an agent's name; what follows is its pod's uid. No subject of a Grant begins so.</summary>
    public const string AgentPrefix = "agent:";

    private readonly ConcurrentDictionary<string, PeerIdentity> remembered = new();

    /// <summary>Null when the certificate is not ours, not yet or no longer valid, or revoked.</summary>
    public PeerIdentity? Identify(X509Certificate2 certificate) => Judge(certificate).Peer;

    public (PeerIdentity? Peer, ErrorInfo? Error) Judge(X509Certificate2 certificate) => Judge(certificate, TimeSpan.Zero);

    /// <summary>As <see cref="Judge(X509Certificate2)"/>, but a certificate that has run out counts for <see cref="RenewableFor"/>: to be renewed, and for nothing else.</summary>
    public (PeerIdentity? Peer, ErrorInfo? Error) JudgeForRenewal(X509Certificate2 certificate) => Judge(certificate, RenewableFor);

    private (PeerIdentity? Peer, ErrorInfo? Error) Judge(X509Certificate2 certificate, TimeSpan grace)
    {
        if (Read(certificate) is not { } peer)
        {
            return (null, new ErrorInfo(
                ErrorCategory.Denied, "certificate-foreign", "The client certificate is not of this space", "this space's authority did not sign it", "Join the space with a token of its own."));
        }

        var now = time.GetUtcNow();
        if (now >= peer.Expires + grace)
        {
            return (null, new ErrorInfo(
                ErrorCategory.Denied,
                "certificate-expired",
                "The client certificate has expired",
                $"it was valid until {peer.Expires:u}; the gateway's clock says {now:u}",
                peer.Account is null ? "Check this machine's clock; if it is right, ask for a new invite and join again." : "Check this machine's clock; if it is right, join again."));
        }

        if (now < peer.Issued - SpaceAuthority.Backdate)
        {
            return (null, new ErrorInfo(
                ErrorCategory.Denied, "certificate-not-yet-valid", "The client certificate is not valid yet", $"it begins at {peer.Issued:u}; the gateway's clock says {now:u}", "Wait, or have the cluster's clock checked."));
        }

        return revocations.IsRevoked(peer)
            ? (null, new ErrorInfo(ErrorCategory.Denied, "revoked", $"Access of {peer.Subject} was revoked", "an administrator of the space revoked it", peer.Account is null ? "Ask for a new invite and join again." : "Ask an administrator of the space."))
            : (peer, null);
    }

    /// <summary>The uid of the pod whose agent shows the certificate; null when it is no agent's of ours, or its time is not now.</summary>
    public string? IdentifyAgent(X509Certificate2 certificate)
    {
        var (name, now) = (DistinguishedName.Read(certificate.SubjectName), time.GetUtcNow().UtcDateTime);
        return IsOurs(certificate) && name.Organization == authority.SpaceUid && name.CommonName?.StartsWith(AgentPrefix, StringComparison.Ordinal) == true
            && now >= certificate.NotBefore.ToUniversalTime() && now < certificate.NotAfter.ToUniversalTime()
            ? name.CommonName[AgentPrefix.Length..]
            : null;
    }

    /// <summary>The certificate's content if our authority signed it as a client certificate, whatever the time.</summary>
    private PeerIdentity? Read(X509Certificate2 certificate)
    {
        var thumbprint = certificate.GetCertHashString(HashAlgorithmName.SHA256);
        if (remembered.TryGetValue(thumbprint, out var known))
        {
            return known;
        }

        if (!IsOurs(certificate) || Parse(certificate) is not { } peer)
        {
            return null;
        }

        if (remembered.Count >= MaxRemembered)
        {
            remembered.Clear();
        }

        remembered[thumbprint] = peer;
        return peer;
    }

    private bool IsOurs(X509Certificate2 certificate)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(authority.Certificate);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid("1.3.6.1.5.5.7.3.2"));

        // Time is judged by the caller, with words for it.
        chain.ChainPolicy.VerificationFlags = X509VerificationFlags.IgnoreNotTimeValid;
        chain.ChainPolicy.VerificationTime = time.GetUtcNow().UtcDateTime;
        return chain.Build(certificate) && chain.ChainElements.Count == 2;
    }

    private PeerIdentity? Parse(X509Certificate2 certificate)
    {
        var name = DistinguishedName.Read(certificate.SubjectName);
        if (name.Organization != authority.SpaceUid || name.CommonName is null)
        {
            return null;
        }

        var issued = new DateTimeOffset(certificate.NotBefore.ToUniversalTime(), TimeSpan.Zero) + SpaceAuthority.Backdate;
        var expires = new DateTimeOffset(certificate.NotAfter.ToUniversalTime(), TimeSpan.Zero);
        if (name.CommonName.StartsWith(Subjects.InvitePrefix, StringComparison.Ordinal))
        {
            return Subjects.IsLabel(name.CommonName[Subjects.InvitePrefix.Length..]) ? new PeerIdentity(name.CommonName, issued, expires, name.Unit) : null;
        }

        return AccountExtension.Read(certificate) is { } account && name.CommonName == Subjects.KubernetesPrefix + account.Name
            ? new PeerIdentity(name.CommonName, issued, expires, Group: null, account)
            : null;
    }
}
