using System.Net;
using System.Net.Sockets;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Policy;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Relay;

namespace Fairlead.Gateway.Dial;

/// <summary>What was dialled; exactly one of the members is set, and owned.</summary>
/// <param name="Socket">TCP, from here.</param>
/// <param name="Datagrams">UDP or echo requests.</param>
/// <param name="Flow">TCP, by way of an exit.</param>
internal sealed record FarEnd(Socket? Socket = null, IDatagramSocket? Datagrams = null, IFlow? Flow = null) : IAsyncDisposable
{
    public ValueTask DisposeAsync()
    {
        Socket?.Dispose();
        return Datagrams?.DisposeAsync() ?? Flow?.DisposeAsync() ?? ValueTask.CompletedTask;
    }
}

/// <summary>The ways out by pods of workloads.</summary>
internal interface IExits
{
    /// <param name="address">As it was judged.</param>
    Task<(FarEnd? FarEnd, FlowRefusal? Refusal)> DialAsync(WorkloadKey workload, TransportProtocol protocol, IPEndPoint address, CancellationToken cancellationToken);
}
