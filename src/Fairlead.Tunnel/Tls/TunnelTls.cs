using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Tunnel.Tls;

/// <summary>
/// What the laptop's end proves itself with and whom it trusts: the space's CA is the only root, the server must carry the space's name
/// (never an address), whatever way it was reached. The certificate may change on renewal: each new connection takes the current one.
/// </summary>
/// <param name="spaceUid">The space's uid; the expected server name is <see cref="GatewayApi.ServerName"/> of it.</param>
/// <param name="authority">The space's CA certificate. Owned by the caller.</param>
/// <param name="certificate">The current client certificate with its private key. Owned by the caller; must outlive connections made with it.</param>
/// <param name="time">The clock that certificates are judged by.</param>
public sealed class TunnelTls(string spaceUid, X509Certificate2 authority, Func<X509Certificate2> certificate, TimeProvider? time = null)
{
    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private Tuple<X509Certificate2, SslStreamCertificateContext>? _context;

    public string ServerName { get; } = GatewayApi.ServerName(spaceUid);

    public X509Certificate2 Authority { get; } = authority;

    public X509Certificate2 Certificate => certificate();

    /// <summary>For one handshake. A server that isn't the space's gateway makes the handshake throw <see cref="CarrierException"/>.</summary>
    internal SslClientAuthenticationOptions ClientOptions(X509Certificate2 own, params IEnumerable<SslApplicationProtocol> protocols) => new()
    {
        TargetHost = ServerName,
        EnabledSslProtocols = SslProtocols.Tls13,
        ClientCertificateContext = ContextOf(own),
        CertificateChainPolicy = PinnedPolicy(Authority, _time),
        RemoteCertificateValidationCallback = (_, server, chain, errors) =>
            errors == SslPolicyErrors.None ? true : throw LinkProblems.OfServerCertificate(server as X509Certificate2, chain, errors, _time.GetUtcNow()),
        ApplicationProtocols = [.. protocols],
    };

    internal static X509ChainPolicy PinnedPolicy(X509Certificate2 authority, TimeProvider time)
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            // The CA is the space's own and publishes no lists: certificates are short-lived and revocation is the gateway's stored denial.
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,

            // The chain engine takes it for local time.
            VerificationTime = time.GetUtcNow().LocalDateTime,
        };
        policy.CustomTrustStore.Add(authority);
        return policy;
    }

    /// <summary>
    /// For a chain that nobody looks at. Without one .NET puts every root of the machine into a store of its own at each handshake, which takes longer than
    /// the handshake, and downloads what a certificate points to.
    /// </summary>
    internal static X509ChainPolicy UnjudgedPolicy() => new()
    {
        TrustMode = X509ChainTrustMode.CustomRootTrust,
        RevocationMode = X509RevocationMode.NoCheck,
        DisableCertificateDownloads = true,
    };

    private SslStreamCertificateContext ContextOf(X509Certificate2 own)
    {
        var known = Volatile.Read(ref _context);
        if (known is null || !ReferenceEquals(known.Item1, own))
        {
            // Kept per certificate: sessions are resumed and the chain is built once.
            known = Tuple.Create(own, SslStreamCertificateContext.Create(own, additionalCertificates: null, offline: true));
            Volatile.Write(ref _context, known);
        }

        return known.Item2;
    }
}
