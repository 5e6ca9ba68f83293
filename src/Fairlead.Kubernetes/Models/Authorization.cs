using System.Text.Json.Serialization;

namespace Fairlead.Kubernetes.Models;

public sealed class Role : KubeObject
{
    public IReadOnlyList<PolicyRule> Rules { get; set => field = value ?? []; } = [];
}

public sealed class ClusterRole : KubeObject
{
    public IReadOnlyList<PolicyRule> Rules { get; set => field = value ?? []; } = [];
}

public sealed class PolicyRule
{
    public IReadOnlyList<string> ApiGroups { get; set => field = value ?? []; } = [];

    /// <summary><c>pods</c>, <c>pods/log</c>, <c>*</c>.</summary>
    public IReadOnlyList<string> Resources { get; set => field = value ?? []; } = [];

    public IReadOnlyList<string> ResourceNames { get; set => field = value ?? []; } = [];

    [JsonPropertyName("nonResourceURLs")]
    public IReadOnlyList<string> NonResourceUrls { get; set => field = value ?? []; } = [];

    public IReadOnlyList<string> Verbs { get; set => field = value ?? []; } = [];
}

public sealed class RoleBinding : KubeObject
{
    public RoleRef RoleRef { get; set => field = value ?? new(); } = new();

    public IReadOnlyList<RbacSubject> Subjects { get; set => field = value ?? []; } = [];
}

public sealed class ClusterRoleBinding : KubeObject
{
    public RoleRef RoleRef { get; set => field = value ?? new(); } = new();

    public IReadOnlyList<RbacSubject> Subjects { get; set => field = value ?? []; } = [];
}

public sealed class RoleRef
{
    public string ApiGroup { get; set; } = "rbac.authorization.k8s.io";

    /// <summary><c>Role</c> or <c>ClusterRole</c>.</summary>
    public string Kind { get; set; } = "";

    public string Name { get; set; } = "";
}

public sealed class RbacSubject
{
    /// <summary><c>User</c>, <c>Group</c> or <c>ServiceAccount</c>.</summary>
    public string Kind { get; set; } = "";

    public string? ApiGroup { get; set; }

    public string Name { get; set; } = "";

    public string? Namespace { get; set; }
}

/// <summary>Body and answer of a service account's <c>token</c> subresource.</summary>
public sealed class TokenRequest : KubeObject
{
    public TokenRequestSpec Spec { get; set => field = value ?? new(); } = new();

    public TokenRequestStatus? Status { get; set; }
}

public sealed class TokenRequestSpec
{
    public IReadOnlyList<string> Audiences { get; set => field = value ?? []; } = [];

    public long? ExpirationSeconds { get; set; }
}

public sealed class TokenRequestStatus
{
    public string Token { get; set; } = "";

    [JsonConverter(typeof(TimeConverter))]
    public DateTimeOffset? ExpirationTimestamp { get; set; }
}
