using Fairlead.Contracts.Gateway;

namespace Fairlead.Daemon.Names;

/// <summary>The names by which a service, or one endpoint of a headless service, is reached on the laptop.</summary>
/// <param name="ClusterDomain">Such as <c>cluster.local</c>.</param>
/// <param name="PrimaryNamespace">Whose services also have bare names, or null.</param>
/// <param name="SpaceSuffix">Null in the space in use, else the space's name, which every name ends with.</param>
internal sealed record ServiceNames(string ClusterDomain, string? PrimaryNamespace, string? SpaceSuffix)
{
    /// <summary>RFC 1035 §2.3.4.</summary>
    private const int MaxName = 253;

    private const int MaxLabel = 63;

    /// <summary>All names, the shortest first.</summary>
    /// <param name="host">The service's name, or <c>endpoint.service</c>.</param>
    public IReadOnlyList<string> Of(string @namespace, string host)
    {
        var end = SpaceSuffix is null ? "" : "." + SpaceSuffix;
        var qualified = $"{host}.{@namespace}";
        string[] names = [qualified + end, $"{qualified}.svc{end}", $"{qualified}.svc.{ClusterDomain}{end}"];
        return @namespace == PrimaryNamespace ? [host + end, .. names] : names;
    }

    /// <summary>Whether every part of a record from a gateway can stand in a hosts file and in a name; one that can't is never published.</summary>
    public static bool AreValid(ServiceRecord service) => IsLabel(service.Namespace) && IsLabel(service.Name) && service.Endpoints.All(IsLabel);

    /// <summary>RFC 1123 §2.1, lower case, as Kubernetes has them.</summary>
    public static bool IsLabel(string text) => text.Length is > 0 and <= MaxLabel && text[0] != '-' && text[^1] != '-'
        && text.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-');

    /// <summary>Dot-separated labels.</summary>
    public static bool IsDomain(string text) => text.Length <= MaxName && text.Split('.').All(IsLabel);
}
