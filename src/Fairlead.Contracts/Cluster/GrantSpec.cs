using System.Text.Json;
using System.Text.Json.Serialization;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Contracts.Cluster;

/// <summary>The <c>spec</c> of a <c>Grant</c> (fairlead.dev/v1alpha1): what its subjects may do. Grants add up; nothing is granted by default.</summary>
/// <param name="Subjects"><c>invite:NAME</c>, <c>invite-group:NAME</c>, <c>k8s:USER</c> or <c>k8s-group:GROUP</c>.</param>
public sealed record GrantSpec(IReadOnlyList<string>? Subjects, IReadOnlyList<GrantRule>? Rules);

/// <summary>One permission: every verb, on every service that one of <paramref name="Services"/> matches in a namespace that one of <paramref name="Namespaces"/> matches.</summary>
/// <param name="Namespaces">Globs (<c>*</c> is any run of characters, <c>?</c> any one). Absent: the rule is about the addresses of <paramref name="Cidrs"/> alone.</param>
/// <param name="Services">Globs; absent is <c>*</c>. For <see cref="GrantVerbs.Attach"/> they match the names of workloads.</param>
/// <param name="Verbs">Of <see cref="GrantVerbs"/>; absent is <c>consume</c>.</param>
/// <param name="Cidrs">
/// Addresses that may lie behind these services although they are refused otherwise (nodes, link-local, the API server, pods of other
/// namespaces). In a rule without namespaces, or for every namespace and service, also addresses that may be dialled as such (also-proxy).
/// </param>
public sealed record GrantRule(
    IReadOnlyList<string>? Namespaces = null,
    IReadOnlyList<string>? Services = null,
    IReadOnlyList<string>? Verbs = null,
    IReadOnlyList<string>? Cidrs = null)
{
    /// <summary>Where, as people write it: <c>shop</c>, <c>dev-*/api</c>, and <c>shop/db (and 10.0.0.0/8)</c> with CIDRs.</summary>
    public IEnumerable<string> Describe() =>
        from ns in Namespaces ?? []
        from service in Services ?? ["*"]
        select (service == "*" ? ns : $"{ns}/{service}") + (Cidrs is { Count: > 0 } ? $" (and {string.Join(", ", Cidrs)})" : "");
}

public static class GrantVerbs
{
    /// <summary>Open flows to the service, see it in the catalog, and resolve its names.</summary>
    public const string Consume = "consume";

    /// <summary>Have the agent put beside a workload (a Deployment, StatefulSet, …), which then is an exit of one's own flows.</summary>
    public const string Attach = "attach";

    /// <summary>Ask the cluster's DNS for names that are no service's; counts only in a rule for every namespace and service.</summary>
    public const string Dns = "dns";
}

[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Web,
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(GrantSpec))]
[JsonSerializable(typeof(IReadOnlyList<GatewayEndpoint>))]
public sealed partial class ClusterJson : JsonSerializerContext;
