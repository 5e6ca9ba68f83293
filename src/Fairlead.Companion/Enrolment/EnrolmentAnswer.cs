using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Companion.Enrolment;

/// <summary>Reads what came back in a CertificateSigningRequest, and believes it only as far as it fits together. Pure.</summary>
internal static class EnrolmentAnswer
{
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";
    private const string CommonNameOid = "2.5.4.3";
    private const string OrganizationOid = "2.5.4.10";

    /// <exception cref="FairleadException">It is not a certificate for the key of <paramref name="certificateRequest"/> by the space that it names.</exception>
    public static EnrolledCertificate Verify(CertificateSigningRequest request, string certificateRequest)
    {
        var approval = request.Status!.Conditions.First(c => c.Type == CertificateSigningRequestStatus.Approved);
        try
        {
            var facts = JsonSerializer.Deserialize(approval.Message ?? "", GatewayJson.Default.EnrolmentFacts) ?? throw new JsonException();
            var certificates = new X509Certificate2Collection();
            certificates.ImportFromPem(Encoding.ASCII.GetString(request.Status.Certificate!));
            if (certificates is not [var own, var root])
            {
                throw Unusable($"it holds {certificates.Count} certificates instead of one and the space's authority");
            }

            var asked = CertificateRequest.LoadSigningRequestPem(certificateRequest, HashAlgorithmName.SHA256);
            if (!own.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(asked.PublicKey.ExportSubjectPublicKeyInfo()))
            {
                throw Unusable("it is for another key");
            }

            if (ValueOf(root, OrganizationOid) != facts.SpaceUid || ValueOf(own, OrganizationOid) != facts.SpaceUid)
            {
                throw Unusable($"it is not of the space {facts.SpaceUid} that the gateway names");
            }

            if (!IsSignedBy(own, root))
            {
                throw Unusable("its authority did not sign it as a client certificate");
            }

            return ValueOf(own, CommonNameOid) is { } subject && subject.StartsWith(Subjects.KubernetesPrefix, StringComparison.Ordinal)
                ? new EnrolledCertificate(own.ExportCertificatePem(), root.ExportCertificatePem(), subject, new DateTimeOffset(own.NotAfter.ToUniversalTime(), TimeSpan.Zero), facts)
                : throw Unusable("it names no user of the cluster");
        }
        catch (JsonException e)
        {
            throw new FairleadException(
                ErrorCategory.Failed,
                "enrolment-answer-unusable",
                "The request for a certificate was approved by somebody else",
                $"its approval ({approval.Reason}) does not say what a gateway says of its space",
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

    private static FairleadException Unusable(string why, Exception? inner = null) => new(
        ErrorCategory.Failed, "enrolment-answer-unusable", "The certificate that came back is of no use", why, "Ask an administrator of the cluster who signs for fairlead.dev/client.", inner);
}
