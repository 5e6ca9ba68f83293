using System.Net;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Names;
using Fairlead.Daemon.Names.Dns;
using Fairlead.Daemon.Plan;
using Fairlead.Daemon.Spaces;
using Fairlead.Platform.Resolver;

namespace Fairlead.Daemon.Connect;

/// <summary>The names of a connection by the daemon's DNS server: the hosts file can't hold what moves with pods.</summary>
/// <param name="server">Shared with consume.</param>
/// <param name="host">To read only.</param>
/// <param name="settings">At this moment.</param>
internal sealed class ConnectNames(NameServer server, IHostResolver host, SpaceRegistry spaces, Func<NameSettings> settings) : IConnectNames
{
    /// <summary>In the server; before consume's.</summary>
    private const string Owner = "connect";

    public async Task<IReadOnlyList<IPAddress>> ReadServersAsync(CancellationToken cancellationToken) =>
        [.. (await host.ReadAsync(cancellationToken)).Servers.Select(endPoint => endPoint.Address)];

    public Task<ErrorInfo?> PublishAsync(Space space, ConnectRequest request, AddressTranslation translation, string device, CancellationToken cancellationToken)
    {
        var naming = new ServiceNames(space.Record.ClusterDomain, request.Namespace ?? space.Settings.PrimaryNamespace, spaces.IsInUse(space) ? null : space.Record.Name);
        var cluster = new SpaceDns(space, translation.ToLocal);
        var table = ConnectNameTable.Create(space.Catalog.Snapshot ?? [], naming, request.MappedNamespaces ?? [], translation, cluster, device);
        return server.PublishAsync(Owner, table, settings(), cluster, cancellationToken);
    }

    public Task WithdrawAsync(CancellationToken cancellationToken) => server.WithdrawAsync(Owner, cancellationToken);
}
