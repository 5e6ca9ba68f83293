using System.Text.Json.Serialization;

namespace Fairlead.Kubernetes.Models;

/// <summary>A request to have a key certified by a signer (certificates.k8s.io/v1).</summary>
public sealed class CertificateSigningRequest : KubeObject
{
    public CertificateSigningRequestSpec Spec { get; set => field = value ?? new(); } = new();

    public CertificateSigningRequestStatus? Status { get; set; }
}

public sealed class CertificateSigningRequestSpec
{
    /// <summary>A PKCS #10 request, PEM.</summary>
    public byte[] Request { get; set => field = value ?? []; } = [];

    /// <summary>Such as <c>fairlead.dev/client</c>.</summary>
    public string SignerName { get; set; } = "";

    /// <summary>How long the certificate should be valid, at least 600; the signer may shorten it.</summary>
    public int? ExpirationSeconds { get; set; }

    /// <summary><c>client auth</c>, <c>digital signature</c>, …</summary>
    public IReadOnlyList<string> Usages { get; set => field = value ?? []; } = [];

    /// <summary>Who asks: set by the API server, as are <see cref="Uid"/>, <see cref="Groups"/> and <see cref="Extra"/>.</summary>
    public string? Username { get; set; }

    public string? Uid { get; set; }

    public IReadOnlyList<string> Groups { get; set => field = value ?? []; } = [];

    public Dictionary<string, IReadOnlyList<string>> Extra { get; set => field = value ?? []; } = [];
}

public sealed class CertificateSigningRequestStatus
{
    public const string Approved = nameof(Approved);
    public const string Denied = nameof(Denied);
    public const string Failed = nameof(Failed);

    public IReadOnlyList<CertificateSigningRequestCondition> Conditions { get; set => field = value ?? []; } = [];

    /// <summary>PEM: the certificate, then its chain.</summary>
    public byte[]? Certificate { get; set; }
}

public sealed class CertificateSigningRequestCondition
{
    /// <summary><c>Approved</c>, <c>Denied</c> or <c>Failed</c>.</summary>
    public string Type { get; set; } = "";

    public string Status { get; set; } = "True";

    public string? Reason { get; set; }

    public string? Message { get; set; }

    [JsonConverter(typeof(TimeConverter))]
    public DateTimeOffset? LastUpdateTime { get; set; }

    [JsonConverter(typeof(TimeConverter))]
    public DateTimeOffset? LastTransitionTime { get; set; }
}
