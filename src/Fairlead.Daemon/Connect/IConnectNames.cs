using System.Net;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Plan;
using Fairlead.Daemon.Spaces;

namespace Fairlead.Daemon.Connect;

/// <summary>The names of a connection.</summary>
internal interface IConnectNames
{
    /// <summary>The servers that this host asks for names, without us.</summary>
    /// <exception cref="Platform.HostException">That can't be read.</exception>
    Task<IReadOnlyList<IPAddress>> ReadServersAsync(CancellationToken cancellationToken);

    /// <summary>When it completes, the names of the space's services resolve to addresses that the plan leads to.</summary>
    /// <returns>What keeps them from it; null when all is well.</returns>
    Task<ErrorInfo?> PublishAsync(Space space, ConnectRequest request, AddressTranslation translation, string device, CancellationToken cancellationToken);

    /// <summary>The host's names are as they were.</summary>
    /// <exception cref="Platform.HostException">They can't be brought back; the journal knows.</exception>
    Task WithdrawAsync(CancellationToken cancellationToken);
}
