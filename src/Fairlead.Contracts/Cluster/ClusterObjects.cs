using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Fairlead.Contracts.Cluster;

/// <summary>Names of the Kubernetes objects that the gateway and the admin's side share (deploy/manifests).</summary>
public static class ClusterObjects
{
    /// <summary>Where the gateway lives unless its admin chose another namespace.</summary>
    public const string Namespace = "fairlead";

    /// <summary>Name of the Deployment, its Service and its ServiceAccount, and the value of its label <see cref="NameLabel"/>.</summary>
    public const string Gateway = "fairlead-gateway";

    public const string NameLabel = "app.kubernetes.io/name";

    public const string ManagedByLabel = "app.kubernetes.io/managed-by";

    /// <summary>Group and version of <c>Grant</c>.</summary>
    public const string Group = "fairlead.dev";

    public const string Version = "v1alpha1";

    /// <summary>Signer of the CertificateSigningRequests by which people with a kubeconfig enrol (docs/identity.md).</summary>
    public const string SignerName = "fairlead.dev/client";

    /// <summary>Virtual resource of <see cref="Group"/>: who may <see cref="GrantVerbs.Consume"/> it in a namespace may consume the services there.</summary>
    public const string SpacesResource = "spaces";

    /// <summary>Virtual resource of <see cref="Group"/>: who may <see cref="AttachmentsVerb"/> it in a namespace may attach to the workloads there.</summary>
    public const string AttachmentsResource = "attachments";

    public const string AttachmentsVerb = "create";

    /// <summary>ClusterRole that lets people with a kubeconfig enrol.</summary>
    public const string UserRole = "fairlead-user";

    /// <summary>ClusterRole that lets them consume, where it is bound.</summary>
    public const string ConsumerRole = "fairlead-consumer";

    /// <summary>ClusterRole that lets them attach, where it is bound.</summary>
    public const string AttacherRole = "fairlead-attacher";

    /// <summary>Secret with <c>tls.crt</c> and <c>tls.key</c>: the space's certificate authority.</summary>
    public const string AuthoritySecret = "fairlead-ca";

    /// <summary>ConfigMap that the gateway publishes: keys in <see cref="SpaceKeys"/>.</summary>
    public const string SpaceConfigMap = "fairlead-space";

    /// <summary>ConfigMap: <see cref="RevocationKey"/> → RFC 3339 time; certificates issued to the subject at or before it are denied.</summary>
    public const string RevocationsConfigMap = "fairlead-revocations";

    /// <summary>ConfigMap: what the admin sets for every client, by the keys of <see cref="Gateway.ClientSettingKeys"/>.</summary>
    public const string ClientConfigMap = "fairlead-client";

    /// <summary>ConfigMap of <c>fairlead gateway</c> itself: the values that were set, and the objects that it made.</summary>
    public const string ReleaseConfigMap = "fairlead-release";

    public const string InviteSecretType = "fairlead.dev/invite";

    public const string InviteSecretPrefix = "fairlead-invite-";

    /// <summary>Label on invites and on Grants that an invite made: the user they are for.</summary>
    public const string UserLabel = "fairlead.dev/user";

    private const int MaxKeyLength = 253;

    /// <summary>
    /// A ConfigMap's keys hold letters, digits, <c>-</c>, <c>_</c> and <c>.</c> only: <c>invite:alice</c> is <c>invite.alice</c>. In a Kubernetes user's
    /// name every other byte, and <c>_</c>, is <c>_</c> and two hexadecimal digits; a name too long for that is its SHA-256.
    /// </summary>
    public static string RevocationKey(string subject)
    {
        if (!subject.StartsWith(Subjects.KubernetesPrefix, StringComparison.Ordinal))
        {
            return subject.Replace(':', '.');
        }

        var name = Encoding.UTF8.GetBytes(subject[Subjects.KubernetesPrefix.Length..]);
        var key = "k8s." + string.Concat(name.Select(b => char.IsAsciiLetterOrDigit((char)b) || b is (byte)'-' or (byte)'.' ? ((char)b).ToString() : $"_{b:X2}"));
        return key.Length <= MaxKeyLength ? key : "k8s-sha256." + Convert.ToHexStringLower(SHA256.HashData(name));
    }
}

/// <summary>Keys of the ConfigMap <see cref="ClusterObjects.SpaceConfigMap"/>.</summary>
public static class SpaceKeys
{
    public const string Name = "name";
    public const string Uid = "uid";

    /// <summary>A JSON array of <see cref="Gateway.GatewayEndpoint"/>.</summary>
    public const string Endpoints = "endpoints";
    public const string Authority = "ca.crt";
}

/// <summary>Keys of an invite's Secret; the values are UTF-8 text.</summary>
public static class InviteKeys
{
    public const string User = "user";
    public const string Group = "group";

    /// <summary>SHA-256 of the one-time secret's bytes, lower-case hexadecimal. The secret itself is stored nowhere.</summary>
    public const string SecretSha256 = "secret-sha256";

    /// <summary>RFC 3339.</summary>
    public const string Expires = "expires";
    public const string UsesLeft = "uses-left";

    /// <summary>SHA-256 of the public keys that joined with it, lower-case hexadecimal, comma-separated.</summary>
    public const string UsedBy = "used-by";
}

/// <summary>Subjects as they stand in certificates and Grants.</summary>
public static partial class Subjects
{
    public const string InvitePrefix = "invite:";
    public const string InviteGroupPrefix = "invite-group:";

    /// <summary>A user as the cluster's API server knows it.</summary>
    public const string KubernetesPrefix = "k8s:";
    public const string KubernetesGroupPrefix = "k8s-group:";

    /// <summary>Longer than the longest service account's; what a certificate's subject can well hold.</summary>
    private const int MaxKubernetesName = 256;

    /// <summary>Whether a Kubernetes user's or group's name can stand in certificates and Grants: 1 to 256 characters, none of them a control character.</summary>
    public static bool IsKubernetesName(string? text) => text is { Length: > 0 and <= MaxKubernetesName } && !text.Any(char.IsControl) && !char.IsWhiteSpace(text[0]) && !char.IsWhiteSpace(text[^1]);

    /// <summary>Whether it is an RFC 1123 label (1 to 63 of a–z, 0–9 and inner hyphens), as users, groups, spaces and invite ids must be.</summary>
    public static bool IsLabel(string? text) => text is { Length: > 0 and <= 63 } && Label().IsMatch(text);

    [GeneratedRegex("^[a-z0-9]([-a-z0-9]*[a-z0-9])?\\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Label();
}
