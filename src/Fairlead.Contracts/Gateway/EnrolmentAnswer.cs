using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;

namespace Fairlead.Contracts.Gateway;

/// <summary>What came back in a CertificateSigningRequest, believed only as far as it fits together: it has gone through a user's process.</summary>
/// <param name="Certificate">The client certificate, PEM.</param>
/// <param name="Authority">The space's CA certificate, PEM: whoever may sign for the space's signer in that cluster vouches for it.</param>
/// <param name="Subject"><c>k8s:USER</c>.</param>
public sealed record EnrolmentAnswer(string Certificate, string Authority, string Subject, DateTimeOffset NotBefore, DateTimeOffset NotAfter, EnrolmentFacts Facts)
{
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";
    private const string CommonNameOid = "2.5.4.3";
    private const string OrganizationOid = "2.5.4.10";

    /// <param name="certificates">PEM: the client's certificate and the space's authority.</param>
    /// <param name="facts">The message of the request's condition <c>Approved</c>: JSON of <see cref="EnrolmentFacts"/>.</param>
    /// <param name="publicKey">The SubjectPublicKeyInfo that was to be certified.</param>
    /// <exception cref="FairleadException">It is not a certificate for that key by the space that it names.</exception>
    public static EnrolmentAnswer Read(string certificates, string facts, ReadOnlySpan<byte> publicKey)
    {
        try
        {
            var known = JsonSerializer.Deserialize(facts, GatewayJson.Default.EnrolmentFacts) ?? throw new JsonException();
            var chain = new X509Certificate2Collection();
            chain.ImportFromPem(certificates);
            if (chain is not [var own, var root])
            {
                throw Unusable($"it holds {chain.Count} certificates instead of one and the space's authority");
            }

            if (!own.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(publicKey))
            {
                throw Unusable("it is for another key");
            }

            if (ValueOf(root, OrganizationOid) != known.SpaceUid || ValueOf(own, OrganizationOid) != known.SpaceUid)
            {
                throw Unusable($"it is not of the space {known.SpaceUid} that the gateway names");
            }

            if (!IsSignedBy(own, root))
            {
                throw Unusable("its authority did not sign it as a client certificate");
            }

            return ValueOf(own, CommonNameOid) is { } subject && subject.StartsWith(Subjects.KubernetesPrefix, StringComparison.Ordinal)
                ? new EnrolmentAnswer(own.ExportCertificatePem(), root.ExportCertificatePem(), subject, Utc(own.NotBefore), Utc(own.NotAfter), known)
                : throw Unusable("it names no user of the cluster");
        }
        catch (JsonException e)
        {
            throw new FairleadException(
                ErrorCategory.Failed,
                "enrolment-answer-unusable",
                "The request for a certificate was approved by somebody else",
                "its approval does not say what a gateway says of its space",
                "Leave it to the gateway to approve, and join again.",
                e);
        }
        catch (CryptographicException e)
        {
            throw Unusable("it can't be read", e);
        }
    }

    /// <summary>Whether it is valid now is judged where it is used, by a clock and with words for it.</summary>
    private static bool IsSignedBy(X509Certificate2 certificate, X509Certificate2 root)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(root);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationFlags = X509VerificationFlags.IgnoreNotTimeValid;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ClientAuthentication));
        return chain.Build(certificate) && chain.ChainElements.Count == 2;
    }

    private static string? ValueOf(X509Certificate2 certificate, string oid) =>
        certificate.SubjectName.EnumerateRelativeDistinguishedNames().Where(r => !r.HasMultipleElements && r.GetSingleElementType().Value == oid).Select(r => r.GetSingleElementValue()).FirstOrDefault();

    private static DateTimeOffset Utc(DateTime local) => new(local.ToUniversalTime(), TimeSpan.Zero);

    private static FairleadException Unusable(string why, Exception? inner = null) => new(
        ErrorCategory.Failed, "enrolment-answer-unusable", "The certificate that came back is of no use", why, $"Ask an administrator of the cluster who signs for {ClusterObjects.SignerName}.", inner);
}
