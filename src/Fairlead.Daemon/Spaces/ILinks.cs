using System.Security.Cryptography.X509Certificates;
using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Companions;
using Fairlead.Tunnel.Link;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Spaces;

/// <summary>Makes what reaches a gateway; tests give fakes.</summary>
internal interface ILinks
{
    /// <summary>Not started. The caller owns it, and the certificates.</summary>
    ISpaceLink Create(SpaceRecord record, X509Certificate2 authority, Func<X509Certificate2> certificate);

    /// <summary>For enrolment: trusts only the token's CA, has no certificate. The caller disposes it.</summary>
    HttpClient CreateBootstrap(JoinToken token);

    /// <summary>For the renewal of a certificate that has run out, with which no link comes up. The caller disposes it, and owns the certificates.</summary>
    HttpClient CreateRenewal(SpaceRecord record, X509Certificate2 authority, X509Certificate2 certificate);
}

internal sealed class TunnelLinks(ILoggerFactory loggers, ICompanions companions, TimeProvider time) : ILinks
{
    /// <summary>A new flow waits this long for the link and the far side before the application gets its reset.</summary>
    internal static readonly TimeSpan OpenTimeout = TimeSpan.FromSeconds(10);

    public ISpaceLink Create(SpaceRecord record, X509Certificate2 authority, Func<X509Certificate2> certificate) => new TunnelSpaceLink(new TunnelLink(
        new TunnelLinkOptions
        {
            Endpoints = record.Endpoints,
            Tls = new TunnelTls(record.Uid, authority, certificate),
            OpenTimeout = OpenTimeout,
            Pods = record.Cluster is { } cluster ? new CompanionPods(companions, record.Owner, cluster) : null,
            PodNames = record.Pods?.Names ?? [],
            PodPort = record.Pods?.ApiPort ?? TunnelLinkOptions.DefaultPodPort,
            PodDataPort = record.Pods?.DataPort ?? TunnelLinkOptions.DefaultPodDataPort,
        },
        loggers.CreateLogger<TunnelLink>(),
        time), companions);

    public HttpClient CreateBootstrap(JoinToken token) => BootstrapClient.Create(token);

    public HttpClient CreateRenewal(SpaceRecord record, X509Certificate2 authority, X509Certificate2 certificate) =>
        BootstrapClient.CreateForRenewal(record.Endpoints, new TunnelTls(record.Uid, authority, () => certificate));
}
