using System.Diagnostics.CodeAnalysis;
using Fairlead.Contracts.Cluster;
using Fairlead.Gateway.Cluster;

namespace Fairlead.Gateway.Policy;

/// <summary><c>service.namespace.svc</c> or <c>endpoint.service.namespace.svc</c>, lower case, each part an RFC 1123 label.</summary>
internal sealed record TargetName(ObjectKey Service, string? Endpoint)
{
    public static bool TryParse(string host, [NotNullWhen(true)] out TargetName? name)
    {
        name = host.Length <= 255 ? Parse(host.Split('.')) : null;
        return name is not null;
    }

    private static TargetName? Parse(string[] labels) => labels switch
    {
        [var service, var @namespace, "svc"] when Subjects.IsLabel(service) && Subjects.IsLabel(@namespace) => new(new(@namespace, service), null),
        [var endpoint, var service, var @namespace, "svc"] when Subjects.IsLabel(endpoint) && Subjects.IsLabel(service) && Subjects.IsLabel(@namespace)
            => new(new(@namespace, service), endpoint),
        _ => null,
    };
}
