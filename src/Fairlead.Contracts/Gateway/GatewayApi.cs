using System.Text.Json.Serialization;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;

namespace Fairlead.Contracts.Gateway;

/// <summary>Paths of the gateway's API (JSON over HTTP/2 on mutual TLS, except where said) and the versions of its protocol.</summary>
public static class GatewayApi
{
    /// <summary>The protocol this build speaks. A gateway serves the current and the previous one; both ends use the highest common version.</summary>
    public const int ProtocolVersion = 1;

    public const int OldestProtocolVersion = 1;

    /// <summary>Rules that a hello tells, which people read; who has more may do no less.</summary>
    public const int MaxRights = 256;

    /// <summary>POST <see cref="HelloRequest"/> → <see cref="HelloResponse"/>.</summary>
    public const string Hello = "/v1/hello";

    /// <summary>
    /// GET: the space's CA certificate, PEM; needs no client certificate. TLS servers leave the root out of their chain, so whoever has only
    /// its fingerprint (from a join token) reads it here over a connection that is not yet trusted, checks the fingerprint, and connects again.
    /// </summary>
    public const string Authority = "/v1/authority";

    /// <summary>POST <see cref="EnrollRequest"/> → <see cref="CertificateResponse"/>; needs no client certificate.</summary>
    public const string Enroll = "/v1/enroll";

    /// <summary>POST <see cref="RenewRequest"/> → <see cref="CertificateResponse"/>.</summary>
    public const string Renew = "/v1/renew";

    /// <summary>
    /// GET, answers newline-delimited <see cref="CatalogEvent"/>s without end. Query: <c>since</c>, a position; <c>gateway=true</c> asks for
    /// <see cref="CatalogEventType.Gateway"/> too, which older clients don't know; <c>addresses=true</c> for the addresses of services
    /// (<see cref="GatewayCapabilities.CatalogAddresses"/>). A position counts only for the same <c>addresses</c>.
    /// </summary>
    public const string Catalog = "/v1/catalog";

    /// <summary>
    /// POST <see cref="ExitRequest"/> → <see cref="ExitResponse"/>: may this workload be the exit of flows? Errors: <c>workload-unknown</c>,
    /// <c>exit-denied</c>, <c>exit-impossible</c>. With <see cref="GatewayCapabilities.Via"/> only.
    /// </summary>
    public const string Exit = "/v1/exit";

    /// <summary>
    /// POST <see cref="EnrollRequest"/> → <see cref="CertificateResponse"/>, for an agent that the gateway placed: the pod's uid and the nonce stand in place of
    /// the invite's id and secret. Needs no client certificate.
    /// </summary>
    public const string Agent = "/v1/agent";

    /// <summary>POST <see cref="DiagnosisRequest"/> → <see cref="DiagnosisResponse"/>; an older gateway answers 404.</summary>
    public const string Diagnosis = "/v1/diagnosis";

    /// <summary>POST <c>application/dns-message</c> (RFC 8484), for granted names only.</summary>
    public const string DnsQuery = "/dns-query";

    /// <summary>A WebSocket whose binary messages are a byte stream: inside it runs TLS to this same API (RFC 6455).</summary>
    public const string Tunnel = "/tunnel";

    /// <summary>With <see cref="Tunnel"/>: not for the API, but for flows that share the connection (docs/adr/0004).</summary>
    public const string FlowsQuery = "?flows";

    public const string TunnelOfFlows = Tunnel + FlowsQuery;

    /// <summary>The server name that a gateway's certificate carries, whatever address it is reached by.</summary>
    public static string ServerName(string spaceUid) => $"gateway.{spaceUid}.fairlead.internal";
}

/// <param name="ProtocolVersions">Every version the client speaks.</param>
public sealed record HelloRequest(IReadOnlyList<int> ProtocolVersions, string ProductVersion, IReadOnlyList<string> Capabilities);

/// <param name="ProtocolVersion">The version to speak from now on.</param>
/// <param name="Subject">Who the gateway takes the caller for, such as <c>invite:alice</c>.</param>
/// <param name="ClusterDomain">Such as <c>cluster.local</c>.</param>
/// <param name="Pods">The gateway's pods that are ready; null from a gateway that doesn't say.</param>
/// <param name="Network">The cluster's subnets; null from a gateway that doesn't say, or not yet.</param>
/// <param name="Rights">What the caller may do, by Grants and RBAC, to be shown; at most <see cref="GatewayApi.MaxRights"/> rules. Null from a gateway that doesn't say.</param>
public sealed record HelloResponse(
    int ProtocolVersion,
    string ProductVersion,
    IReadOnlyList<string> Capabilities,
    string SpaceName,
    string SpaceUid,
    string Subject,
    string ClusterDomain,
    string GatewayInstance,
    IReadOnlyList<GatewayEndpoint> Endpoints,
    IReadOnlyList<string>? Pods = null,
    ClusterNetwork? Network = null,
    IReadOnlyList<GrantRule>? Rights = null);

/// <summary>Where a gateway is reached from outside: <paramref name="Host"/> is an address or a DNS name, ports are TCP.</summary>
/// <param name="DataPort">The direct carrier's port; 0 where only the API's port is exposed.</param>
public sealed record GatewayEndpoint(string Host, int ApiPort, int DataPort);

/// <param name="InviteId">From the token.</param>
/// <param name="Secret">The token's one-time secret, base64url.</param>
/// <param name="CertificateRequest">A PKCS #10 request, PEM; its subject is ignored, the gateway decides it.</param>
public sealed record EnrollRequest(string InviteId, string Secret, string CertificateRequest);

public sealed record RenewRequest(string CertificateRequest);

/// <summary>
/// What the gateway tells a person with a kubeconfig besides the certificate: JSON, the message of the condition <c>Approved</c> of their
/// CertificateSigningRequest, which is all of the cluster that they need to be able to read.
/// </summary>
/// <param name="ProtocolVersions">Every version that the gateway speaks.</param>
/// <param name="Endpoints">Where it is reached from outside; may be none.</param>
/// <param name="Namespace">Of the gateway's pods.</param>
/// <param name="Pods">Names of its pods, for a port-forward.</param>
/// <param name="ApiPort">The pods' port of the API.</param>
/// <param name="DataPort">The pods' port of the direct carrier.</param>
public sealed record EnrolmentFacts(
    IReadOnlyList<int> ProtocolVersions,
    string SpaceName,
    string SpaceUid,
    IReadOnlyList<GatewayEndpoint> Endpoints,
    string Namespace,
    IReadOnlyList<string> Pods,
    int ApiPort,
    int DataPort);

/// <param name="Certificate">The client certificate, PEM.</param>
/// <param name="Authority">The space's CA certificate, PEM.</param>
/// <param name="RenewAfter">When the client should ask for the next one (two thirds of the lifetime).</param>
public sealed record CertificateResponse(string Certificate, string Authority, string Subject, DateTimeOffset NotAfter, DateTimeOffset RenewAfter);

public enum CatalogEventType
{
    /// <summary>Everything the client knows is void; what follows up to <see cref="Synced"/> is all there is.</summary>
    Reset,

    /// <summary><see cref="CatalogEvent.Service"/> is new or changed.</summary>
    Put,

    /// <summary>The service with the namespace and name of <see cref="CatalogEvent.Service"/> is gone or no longer granted.</summary>
    Delete,

    /// <summary>All that was known when the watch began has been sent.</summary>
    Synced,

    /// <summary>Nothing happened; sent every few seconds so that a dead link is noticed.</summary>
    Heartbeat,

    /// <summary>The gateway goes away soon: watch elsewhere.</summary>
    Draining,

    /// <summary>The gateway's pods or endpoints, the cluster's network, or what the client may do, changed: say hello again.</summary>
    Gateway,
}

/// <param name="Position">Opaque; given back as <c>since</c> it resumes after this event, or the gateway answers with a <see cref="CatalogEventType.Reset"/>.</param>
/// <param name="Settings">
/// All that the admin sets for every client, by the keys of <see cref="ClientSettingKeys"/>: with every <see cref="CatalogEventType.Synced"/>,
/// and with a <see cref="CatalogEventType.Heartbeat"/> when they changed; null says nothing of them.
/// </param>
public sealed record CatalogEvent(CatalogEventType Type, string Position, ServiceRecord? Service = null, IReadOnlyDictionary<string, string>? Settings = null);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(HelloRequest))]
[JsonSerializable(typeof(HelloResponse))]
[JsonSerializable(typeof(EnrollRequest))]
[JsonSerializable(typeof(RenewRequest))]
[JsonSerializable(typeof(CertificateResponse))]
[JsonSerializable(typeof(EnrolmentFacts))]
[JsonSerializable(typeof(CatalogEvent))]
[JsonSerializable(typeof(DiagnosisRequest))]
[JsonSerializable(typeof(DiagnosisResponse))]
[JsonSerializable(typeof(ReplicaStatus))]
[JsonSerializable(typeof(ExitRequest))]
[JsonSerializable(typeof(ExitResponse))]
[JsonSerializable(typeof(ErrorResponse))]
public sealed partial class GatewayJson : JsonSerializerContext;
