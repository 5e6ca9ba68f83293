using System.Text.Json.Serialization;
using Fairlead.Contracts.Errors;

namespace Fairlead.Contracts.Local;

/// <summary>
/// What a user's companion and the daemon say to each other on the daemon's local API. The companion makes every connection, so that the kernel tells
/// the daemon whose it is: one control connection, on which the daemon asks (newline-delimited <see cref="CompanionRequest"/>) and the companion
/// answers (<see cref="CompanionAnswer"/>, in any order), and one for each carrier, to a socket of its own: a <see cref="CarrierGreeting"/>, then raw bytes.
/// </summary>
public static class CompanionApi
{
    /// <summary>GET with <c>Upgrade:</c> <see cref="ControlProtocol"/>. A newer control connection of the same uid replaces the older one.</summary>
    public const string Control = "/v1/companion";

    /// <summary>The number is the protocol's version; a daemon that speaks another one answers 400 and the companion ends.</summary>
    public const string ControlProtocol = "fairlead-companion/2";

    /// <summary>Header of the daemon's answers to a user whose spaces need a companion while none is connected: <c>wanted</c>.</summary>
    public const string WantedHeader = "Fairlead-Companion";

    /// <summary>Far above a certificate chain and what comes with it, in bytes.</summary>
    public const int MaxLine = 256 * 1024;

    /// <summary>Requests of one companion that are not answered yet.</summary>
    public const int MaxPending = 64;

    /// <summary>The socket of carriers, which is beside that of the local API.</summary>
    public static string CarrierSocketOf(string apiSocket) => Path.Combine(Path.GetDirectoryName(apiSocket)!, "carriers.sock");
}

/// <summary>Which cluster, and as whom: what the companion, running as the user, opens by itself. The daemon only keeps these words.</summary>
/// <param name="Kubeconfig">Absolute paths, separated as in <c>$KUBECONFIG</c>.</param>
/// <param name="Context">Null is the current one.</param>
/// <param name="Namespace">Of the gateway.</param>
public sealed record ClusterAccess(string Kubeconfig, string? Context, string Namespace);

/// <summary>Exactly one of the members beside the id is set.</summary>
public sealed record CompanionRequest(long Id, OpenCarrier? Open = null, ClusterEnrolment? Enrol = null, Dismissal? Dismiss = null);

/// <summary>Connect to a port of a gateway's pod through the API server. Answered by a carrier connection, or by an error.</summary>
/// <param name="Pod">Null: any ready pod of the gateway; needs the right to list pods.</param>
public sealed record OpenCarrier(ClusterAccess Cluster, string? Pod, int Port);

/// <summary>Have a certificate signed by a CertificateSigningRequest. Answered by <see cref="CompanionAnswer.Enrolled"/> or an error.</summary>
/// <param name="CertificateRequest">PKCS #10, PEM; its key stays with the daemon.</param>
public sealed record ClusterEnrolment(ClusterAccess Cluster, string CertificateRequest);

/// <summary>The companion is not needed any more, or another one took its place: it ends. Not answered.</summary>
public sealed record Dismissal(string Reason);

/// <param name="Error">Null unless it failed.</param>
public sealed record CompanionAnswer(long Id, ErrorInfo? Error = null, ClusterEnrolled? Enrolled = null);

/// <param name="Certificates">PEM, the client's certificate first, then the chain up to the space's CA.</param>
/// <param name="Facts">What the gateway said beside it (the message of the request's Approved condition), JSON.</param>
/// <param name="Context">The kubeconfig context that was used, so that another current context changes nothing.</param>
/// <param name="Server">URL of the API server, for people.</param>
public sealed record ClusterEnrolled(string Certificates, string Facts, string? Context, string Server);

// Nulls are written: a reader requires every constructor parameter that has no default.
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(CompanionRequest))]
[JsonSerializable(typeof(CompanionAnswer))]
public sealed partial class CompanionJson : JsonSerializerContext;
