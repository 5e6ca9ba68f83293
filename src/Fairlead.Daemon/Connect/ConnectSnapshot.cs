using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Flows;
using Fairlead.Daemon.Plan;
using Fairlead.Daemon.Spaces;
using Fairlead.Tunnel;

namespace Fairlead.Daemon.Connect;

/// <summary>Where flows lead that come through our device: replaced as a whole, never changed.</summary>
internal sealed record ConnectSnapshot(ConnectPlan Plan, AddressTranslation Translation)
{
    private readonly PrefixSet ours = PrefixSet.Of(Plan.Prefixes).Except(PrefixSet.Of(Plan.Exceptions));

    /// <summary>Null: the address is none of the plan's, or a virtual one that stands for nothing.</summary>
    public FlowDestination? Find(IPEndPoint destination, TransportProtocol protocol, Space space) =>
        ours.Covers(Prefix.Of(destination.Address)) && Translation.ToReal(destination.Address) is { } real
            ? new FlowDestination(space.Link, new FlowTarget(protocol, real.ToString(), destination.Port, Plan.ExitOf(real)), space.Counters, space.Troubles)
            : null;
}
