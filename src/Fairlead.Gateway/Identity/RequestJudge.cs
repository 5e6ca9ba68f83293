using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;
using Fairlead.Kubernetes.Models;
using Fairlead.Tunnel;

namespace Fairlead.Gateway.Identity;

/// <summary>Why a CertificateSigningRequest is denied.</summary>
/// <param name="Reason">One word, for the condition.</param>
/// <param name="Message">For a person.</param>
internal sealed record RequestRefusal(string Reason, string Message);

/// <summary>What a good request asks for.</summary>
internal sealed record AcceptedRequest(PublicKey Key, KubernetesAccount Account, TimeSpan Lifetime);

/// <summary>
/// Judges what a CertificateSigningRequest says of itself; whether its author may use the space is another question. The API server has proven
/// who the author is, so that whatever else the request claims must be nothing, or exactly that. Pure.
/// </summary>
internal static class RequestJudge
{
    public static readonly TimeSpan LongestLifetime = TimeSpan.FromHours(12);

    private const string SubjectAlternativeNames = "2.5.29.17";

    public static (AcceptedRequest? Accepted, RequestRefusal? Refusal) Judge(CertificateSigningRequest request, string spaceUid)
    {
        var spec = request.Spec;
        if (spec.SignerName != ClusterObjects.SignerName)
        {
            return Refuse("ForeignSigner", $"the gateway signs for {ClusterObjects.SignerName}, not for {spec.SignerName}");
        }

        if (!spec.Usages.Contains("client auth") || spec.Usages.Any(usage => usage is not ("client auth" or "digital signature")))
        {
            return Refuse("WrongUsage", $"the usages must be 'client auth' and at most 'digital signature' besides; these are {string.Join(", ", spec.Usages.Select(u => $"'{u}'"))}");
        }

        if (!Subjects.IsKubernetesName(spec.Username))
        {
            return Refuse("UnusableName", "the user's name is longer than 256 characters, begins or ends with white space, or has control characters in it");
        }

        var account = new KubernetesAccount(spec.Username!, string.IsNullOrEmpty(spec.Uid) ? null : spec.Uid, spec.Groups, spec.Extra);
        if (AccountExtension.Encode(account).Length > AccountExtension.MaxLength)
        {
            return Refuse("TooManyGroups", $"the user's groups and extra values take more than {AccountExtension.MaxLength / 1024} KiB, which no certificate should carry");
        }

        CertificateRequest asked;
        try
        {
            asked = SigningRequest.Read(Encoding.ASCII.GetString(spec.Request));
        }
        catch (FairleadException e)
        {
            return Refuse("UnusableRequest", $"the certificate request can't be used: {e.Error.Why}");
        }

        return Claim(asked, account, spaceUid) is { } claim
            ? Refuse("ForgedName", $"the request asks for {claim}; it must ask for no name, or for that of its author, {Subjects.KubernetesPrefix}{account.Name}")
            : (new AcceptedRequest(asked.PublicKey, account, LifetimeOf(spec)), null);
    }

    private static TimeSpan LifetimeOf(CertificateSigningRequestSpec spec) =>
        spec.ExpirationSeconds is { } seconds && seconds < LongestLifetime.TotalSeconds ? TimeSpan.FromSeconds(seconds) : LongestLifetime;

    /// <summary>What it claims that isn't so, or null.</summary>
    private static string? Claim(CertificateRequest asked, KubernetesAccount account, string spaceUid)
    {
        var parts = asked.SubjectName.EnumerateRelativeDistinguishedNames().Count();
        var name = DistinguishedName.Read(asked.SubjectName);
        if (parts > 0 && (name.CommonName != Subjects.KubernetesPrefix + account.Name || parts > (name.Organization == spaceUid ? 2 : 1)))
        {
            return $"the subject '{asked.SubjectName.Name}'";
        }

        var expected = SpaceAuthority.NamesOf(spaceUid, account).RawData;
        foreach (var extension in asked.CertificateExtensions)
        {
            if (extension.Oid?.Value != SubjectAlternativeNames)
            {
                return $"the extension {extension.Oid?.FriendlyName ?? extension.Oid?.Value}";
            }

            if (!extension.RawData.AsSpan().SequenceEqual(expected))
            {
                return "alternative names";
            }
        }

        return null;
    }

    private static (AcceptedRequest?, RequestRefusal?) Refuse(string reason, string message) => (null, new RequestRefusal(reason, message));
}
