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

    /// <summary>A ConfigMap's keys may not hold a colon: <c>invite:alice</c> is <c>invite.alice</c>.</summary>
    public static string RevocationKey(string subject) => subject.Replace(':', '.');
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

    /// <summary>Whether it is an RFC 1123 label (1 to 63 of a–z, 0–9 and inner hyphens), as users, groups, spaces and invite ids must be.</summary>
    public static bool IsLabel(string? text) => text is { Length: > 0 and <= 63 } && Label().IsMatch(text);

    [GeneratedRegex("^[a-z0-9]([-a-z0-9]*[a-z0-9])?\\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Label();
}
