using System.Text.Json.Serialization;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Contracts.Local;

/// <summary>
/// The daemon's local API: HTTP/1.1 and JSON over the unix socket <see cref="DefaultSocket"/>; the caller is known by peer credentials.
/// Failures are <see cref="ErrorResponse"/>. With <c>?watch=true</c> a GET answers newline-delimited JSON, the whole state each time it changes.
/// <c>?space=NAME</c> picks a space other than the one in use.
/// </summary>
public static class LocalApi
{
    public const string DefaultSocket = "/run/fairlead/daemon.sock";

    /// <summary>Environment variable that names another socket.</summary>
    public const string SocketVariable = "FAIRLEAD_SOCKET";

    /// <summary>Header of every answer: the daemon's product version, for a command line of another one that can't make sense of the rest.</summary>
    public const string VersionHeader = "Fairlead-Version";

    /// <summary>GET <see cref="DaemonStatus"/> (watchable).</summary>
    public const string Status = "/v1/status";

    /// <summary>POST: undo every change to the host, then end. Answers when the changes are undone.</summary>
    public const string Shutdown = "/v1/shutdown";

    /// <summary>
    /// GET <see cref="OptionList"/>; PUT <c>/v1/options/KEY</c> <see cref="OptionChange"/> → <see cref="OptionChanged"/>; DELETE
    /// <c>/v1/options/KEY</c> → <see cref="OptionChanged"/>: what the gateway says, or the default, counts again.
    /// </summary>
    public const string Options = "/v1/options";

    /// <summary>POST <see cref="JoinRequest"/> → <see cref="SpaceStatus"/>.</summary>
    public const string Join = "/v1/join";

    /// <summary>GET <see cref="SpaceList"/>; POST <c>/v1/spaces/NAME/use</c>; DELETE <c>/v1/spaces/NAME</c> leaves it.</summary>
    public const string Spaces = "/v1/spaces";

    /// <summary>GET <see cref="ServiceList"/> (watchable): every granted service. Query: <c>namespace</c>.</summary>
    public const string Services = "/v1/services";

    /// <summary>GET <see cref="ConsumeState"/> (watchable); POST <see cref="ConsumeRequest"/> → <see cref="ConsumeState"/>, when names resolve and listeners accept.</summary>
    public const string Consume = "/v1/consume";

    /// <summary>PUT <see cref="PrimaryNamespace"/>; an empty one clears it.</summary>
    public const string PrimaryNamespacePath = "/v1/primary-namespace";

    /// <summary>
    /// GET <see cref="ConnectState"/> (watchable); POST <see cref="ConnectRequest"/> → <see cref="ConnectState"/>, when routes and names are in
    /// force; DELETE: disconnects, answers when the host is as it was.
    /// </summary>
    public const string Connect = "/v1/connect";

    /// <summary>GET <see cref="PlanState"/> (watchable): what is routed; without a connection, what would be.</summary>
    public const string Plan = "/v1/plan";

    /// <summary>GET, text. Query: <c>follow=true</c>, <c>lines=N</c>.</summary>
    public const string Logs = "/v1/logs";

    /// <summary>GET <see cref="DoctorReport"/>.</summary>
    public const string Doctor = "/v1/doctor";
}

/// <param name="Capture">How flows get into the daemon (<c>sk_lookup</c>, <c>nftables</c>, <c>listeners</c>) and why not in a better way.</param>
/// <param name="Connect">The connection, when it is of a space of the caller's.</param>
public sealed record DaemonStatus(
    string Version,
    int Pid,
    DateTimeOffset Started,
    CaptureStatus Capture,
    string Resolver,
    string? CurrentSpace,
    IReadOnlyList<SpaceStatus> Spaces,
    ConnectState? Connect = null);

public sealed record CaptureStatus(string Method, string? Reason);

public enum LinkState
{
    Connecting,
    Connected,
    Disconnected,

    /// <summary>The gateway will not have us (revoked, expired, another protocol): trying again is of no use until a person acts.</summary>
    Refused,
}

/// <param name="Owner">The uid that joined.</param>
/// <param name="Problem">Why the link is not <see cref="LinkState.Connected"/>, or what else will keep it from working (a wrong clock, a renewal that failed).</param>
/// <param name="Settings">What the admin sets for every client; empty while the gateway hasn't told it.</param>
/// <param name="RoundTripMilliseconds">Smoothed, over the data path; null while there is none.</param>
/// <param name="Ways">Every way to the gateway, the best first.</param>
/// <param name="Replicas">The gateway's pods that answer.</param>
/// <param name="Rights">What the caller may do there, as the gateway last said it; null while it hasn't.</param>
public sealed record SpaceStatus(
    string Name,
    string Uid,
    string Subject,
    int Owner,
    bool InUse,
    LinkState Link,
    DateTimeOffset Since,
    ErrorInfo? Problem,
    string? Carrier,
    string? Gateway,
    double? RoundTripMilliseconds,
    string? GatewayVersion,
    string? Warning,
    DateTimeOffset CertificateExpires,
    string? PrimaryNamespace,
    int Services,
    int Consumed,
    long OpenFlows,
    long BytesSent,
    long BytesReceived,
    IReadOnlyList<SpaceSetting>? Settings = null,
    IReadOnlyList<WayStatus>? Ways = null,
    IReadOnlyList<string>? Replicas = null,
    IReadOnlyList<GrantRule>? Rights = null);

/// <summary>Something that the space's admin sets for every client (<see cref="ClientSettingKeys"/>).</summary>
/// <param name="Overridden">This laptop's own option counts instead.</param>
public sealed record SpaceSetting(string Key, string Value, bool Overridden);

/// <summary>One way to the gateway.</summary>
/// <param name="Carrier"><c>direct</c>, <c>websocket</c> or <c>port-forward</c>.</param>
/// <param name="Where"><c>host:port</c>, or the API server's URL.</param>
/// <param name="Problem">What came of the last attempt; null when it worked or there was none.</param>
public sealed record WayStatus(string Carrier, string Where, bool InUse, ErrorInfo? Problem);

public sealed record SpaceList(IReadOnlyList<SpaceStatus> Spaces);

/// <summary>Exactly one of the members is set.</summary>
/// <param name="Token">Of an invite.</param>
/// <param name="Cluster">Whose gateway is to be joined through the caller's companion; the namespace is found out.</param>
public sealed record JoinRequest(string? Token, ClusterAccess? Cluster = null);

public sealed record OptionList(IReadOnlyList<OptionInfo> Options);

/// <summary>Who said what an option's value is; the later ones win.</summary>
public enum OptionSource
{
    Default,

    /// <summary>The admin of the space in use, for every client.</summary>
    Gateway,

    /// <summary><c>fairlead options set</c>.</summary>
    Laptop,
}

public sealed record OptionInfo(string Key, string Value, string Default, string Description, bool NeedsRestart, OptionSource Source);

public sealed record OptionChange(string Value);

public sealed record OptionChanged(OptionInfo Option, bool RestartNeeded);

public sealed record ServiceList(string Space, IReadOnlyList<ServiceInfo> Services);

public sealed record ServiceInfo(ServiceRecord Service, bool Consumed);

/// <param name="Add">Rules appended in this order: <c>ns/service</c>, <c>ns/*</c>, <c>*/*</c>, <c>ns/service:8080</c>, <c>!ns/service</c>; the last match wins.</param>
/// <param name="Remove">Rules taken away, by their exact text.</param>
/// <param name="Replace">When not null, the whole list becomes this one.</param>
public sealed record ConsumeRequest(IReadOnlyList<string>? Add = null, IReadOnlyList<string>? Remove = null, IReadOnlyList<string>? Replace = null);

/// <param name="Warnings">For a person: a rule that matches nothing, a name that a public top-level domain shadows, …</param>
public sealed record ConsumeState(string Space, IReadOnlyList<string> Rules, IReadOnlyList<ConsumedService> Services, IReadOnlyList<string> Warnings);

/// <param name="Names">Every name it can be reached by, the shortest first.</param>
/// <param name="Problem">Why some or all of it cannot be reached, else null.</param>
public sealed record ConsumedService(
    string Namespace,
    string Name,
    ServiceKind Kind,
    string Address,
    IReadOnlyList<string> Names,
    IReadOnlyList<ServicePort> Ports,
    string? Problem);

public sealed record PrimaryNamespace(string Namespace);

public enum CheckResult
{
    Ok,
    Warning,
    Failed,
}

public sealed record DoctorCheck(string Subject, CheckResult Result, string Message, string? Hint);

public sealed record DoctorReport(IReadOnlyList<DoctorCheck> Checks);

// Nulls are written: a reader requires every constructor parameter that has no default.
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(DaemonStatus))]
[JsonSerializable(typeof(SpaceList))]
[JsonSerializable(typeof(SpaceStatus))]
[JsonSerializable(typeof(JoinRequest))]
[JsonSerializable(typeof(OptionList))]
[JsonSerializable(typeof(OptionChange))]
[JsonSerializable(typeof(OptionChanged))]
[JsonSerializable(typeof(ServiceList))]
[JsonSerializable(typeof(ConsumeRequest))]
[JsonSerializable(typeof(ConsumeState))]
[JsonSerializable(typeof(PrimaryNamespace))]
[JsonSerializable(typeof(ConnectRequest))]
[JsonSerializable(typeof(ConnectState))]
[JsonSerializable(typeof(PlanState))]
[JsonSerializable(typeof(DoctorReport))]
[JsonSerializable(typeof(ErrorResponse))]
public sealed partial class LocalJson : JsonSerializerContext;
