using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Companions;
using Fairlead.Daemon.Names;

namespace Fairlead.Daemon.Spaces;

/// <summary>What an enrolment by kubeconfig gave.</summary>
/// <param name="Cluster">As it was asked for, with what was found out: the context that was the current one, the gateway's namespace.</param>
internal sealed record KubeconfigEnrolled(Enrolled Enrolled, EnrolmentFacts Facts, ClusterAccess Cluster)
{
    public GatewayPods Pods => new(Facts.Pods, Facts.ApiPort, Facts.DataPort);
}

/// <summary>Gets certificates through the owner's companion, which alone reads the kubeconfig; the key never leaves the daemon. Also renews so.</summary>
internal static class KubeconfigEnrolment
{
    private const int MaxPods = 64;

    /// <exception cref="FairleadException">No companion, no right, no gateway, its refusal, or an answer that doesn't fit.</exception>
    public static async Task<KubeconfigEnrolled> EnrolAsync(ICompanions companions, uint owner, ClusterAccess cluster, TimeProvider time, CancellationToken cancellationToken)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("", key, HashAlgorithmName.SHA256);
        var answered = await companions.EnrolAsync(owner, new ClusterEnrolment(cluster, request.CreateSigningRequestPem()), cancellationToken);
        var answer = EnrolmentAnswer.Read(answered.Certificates, answered.Facts, key.ExportSubjectPublicKeyInfo());
        var facts = answer.Facts;
        if (!ServiceNames.IsLabel(facts.SpaceUid) || !ServiceNames.IsLabel(facts.SpaceName) || facts.Pods.Count > MaxPods)
        {
            throw new FairleadException(ErrorCategory.Failed, "enrolment-answer-unusable", "The gateway's answer can't be used", "the space that it names has no proper name", "Compare 'fairlead version' with the gateway's version.");
        }

        var now = time.GetUtcNow();
        if (now < answer.NotBefore || now >= answer.NotAfter)
        {
            throw new FairleadException(
                ErrorCategory.Failed,
                "clock-skew",
                "This machine's clock is wrong",
                $"it says {now:u}, and the certificate that was just made is valid from {answer.NotBefore:u} to {answer.NotAfter:u}",
                "Set the clock ('timedatectl set-ntp true'), then join again.");
        }

        using var certificate = X509Certificate2.CreateFromPem(answer.Certificate);
        var response = new CertificateResponse(answer.Certificate, answer.Authority, answer.Subject, answer.NotAfter, answer.NotAfter - ((answer.NotAfter - answer.NotBefore) / 3));
        return new KubeconfigEnrolled(
            new Enrolled(certificate.CopyWithPrivateKey(key), response), facts, cluster with { Context = answered.Context ?? cluster.Context, Namespace = facts.Namespace });
    }
}
