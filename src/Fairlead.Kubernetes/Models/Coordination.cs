using System.Text.Json.Serialization;

namespace Fairlead.Kubernetes.Models;

public sealed class Lease : KubeObject
{
    public LeaseSpec Spec { get; set => field = value ?? new(); } = new();
}

public sealed class LeaseSpec
{
    public string? HolderIdentity { get; set; }

    public int? LeaseDurationSeconds { get; set; }

    [JsonConverter(typeof(MicroTimeConverter))]
    public DateTimeOffset? AcquireTime { get; set; }

    [JsonConverter(typeof(MicroTimeConverter))]
    public DateTimeOffset? RenewTime { get; set; }

    public int? LeaseTransitions { get; set; }
}
