using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Names;

namespace Fairlead.Daemon.Spaces;

/// <summary>A joined space as it is stored, without its key.</summary>
/// <param name="Name">Unique on this laptop; the suffix of its names while another one is in use.</param>
/// <param name="Owner">The uid that joined.</param>
/// <param name="Authority">The space's CA certificate, PEM.</param>
/// <param name="RenewAfter">When the certificate is to be renewed.</param>
/// <param name="Pods">The gateway's pods, as they were at the last enrolment; null where the space was joined by a token.</param>
/// <param name="Cluster">How the owner's companion reaches the cluster's API server; null where the space needs none.</param>
internal sealed record SpaceRecord(
    string Name,
    string Uid,
    uint Owner,
    string Subject,
    string ClusterDomain,
    IReadOnlyList<GatewayEndpoint> Endpoints,
    string Authority,
    DateTimeOffset RenewAfter,
    ClusterAccess? Cluster = null,
    GatewayPods? Pods = null)
{
    /// <summary>Unique on this laptop: two people may join one space.</summary>
    [JsonIgnore]
    public string Key => $"{Owner}/{Uid}";
}

/// <param name="Names">For a port-forward.</param>
internal sealed record GatewayPods(IReadOnlyList<string> Names, int ApiPort, int DataPort);

/// <summary>What the owner wants of a space.</summary>
internal sealed record SpaceSettings(IReadOnlyList<string> Rules, string? PrimaryNamespace)
{
    public static readonly SpaceSettings None = new([], null);
}

internal sealed record StoredAddress(string Namespace, string Host, string Address, DateOnly LastUsed)
{
    public static StoredAddress Of(AddressAssignment assignment) =>
        new(assignment.Key.Namespace, assignment.Key.Host, assignment.Address.ToString(), assignment.LastUsed);

    /// <summary>Null when the address is none.</summary>
    public AddressAssignment? In(string space) =>
        IPAddress.TryParse(Address, out var address) ? new AddressAssignment(new AddressKey(space, Namespace, Host), address, LastUsed) : null;
}

internal sealed record StoredAddresses(IReadOnlyList<StoredAddress> Addresses);

/// <summary>Virtual addresses and what they stand for, so that they are the same in every session.</summary>
/// <param name="Subnets">CIDRs of one size, real and local.</param>
/// <param name="Addresses">Single ones, the least recently used first.</param>
internal sealed record StoredVirtual(IReadOnlyList<StoredPair> Subnets, IReadOnlyList<StoredPair> Addresses)
{
    public static readonly StoredVirtual None = new([], []);
}

internal sealed record StoredPair(string Real, string Local);

/// <summary>The services that the gateway told last.</summary>
internal sealed record StoredCatalog(IReadOnlyCollection<ServiceRecord> Services);

/// <summary>Which space owns the plain names.</summary>
internal sealed record SpaceInUse(string Key);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(SpaceRecord))]
[JsonSerializable(typeof(SpaceSettings))]
[JsonSerializable(typeof(StoredAddresses))]
[JsonSerializable(typeof(StoredCatalog))]
[JsonSerializable(typeof(StoredVirtual))]
[JsonSerializable(typeof(SpaceInUse))]
internal sealed partial class SpaceJson : JsonSerializerContext;
