using System.Net;
using System.Net.Sockets;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Policy;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Relay;

namespace Fairlead.Gateway.Dial;

/// <summary>Carries out a <see cref="FlowPlan"/>: a connected far end, or why there is none.</summary>
/// <param name="resolve">Name, which is absolute, to addresses.</param>
/// <param name="exits">The ways out by workloads' pods; null where there are none.</param>
internal sealed class Dialer(FlowPlanner planner, Func<string, CancellationToken, Task<IPAddress[]>> resolve, TimeProvider time, IExits? exits = null)
{
    private static readonly TimeSpan ResolveTimeout = TimeSpan.FromSeconds(5);

    /// <summary>How long the news of a new pod may take from the API server to here.</summary>
    private static readonly TimeSpan SettleTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SettleInterval = TimeSpan.FromMilliseconds(25);

    private const int MaxResolved = 4;

    /// <summary>The caller owns the far end.</summary>
    public async Task<(FarEnd? FarEnd, FlowRefusal? Refusal)> DialAsync(Rights rights, FlowTarget target, CancellationToken cancellationToken)
    {
        var plan = planner.Plan(rights, target);
        if (plan.Unsettled is not null)
        {
            plan = await SettleAsync(rights, target, plan, cancellationToken);
        }

        if (plan.Refusal is { } refusal)
        {
            return (null, refusal);
        }

        if (plan.Resolve is { } name)
        {
            var (addresses, failed) = await ResolveAsync(rights, target, name, cancellationToken);
            return failed is not null ? (null, failed) : await DialAsync(addresses, target.Protocol, cancellationToken);
        }

        if (plan.Exit is not { } workload)
        {
            return await DialAsync(plan.Dial!, target.Protocol, cancellationToken);
        }

        return exits is not null
            ? await exits.DialAsync(workload, target.Protocol, plan.Dial![0], cancellationToken)
            : (null, new FlowRefusal(FlowFailure.Denied, "this gateway has no right to place an exit in a workload's pods"));
    }

    private async Task<FlowPlan> SettleAsync(Rights rights, FlowTarget target, FlowPlan plan, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        while (plan.Unsettled is not null && time.GetElapsedTime(began) < SettleTimeout)
        {
            await Task.Delay(SettleInterval, time, cancellationToken);
            plan = planner.Plan(rights, target);
        }

        return plan.Unsettled is { } refusal ? new FlowPlan(Refusal: refusal) : plan;
    }

    /// <summary>All addresses are judged before any is dialled: a name with one forbidden address is forbidden.</summary>
    private async Task<(IReadOnlyList<IPEndPoint> Addresses, FlowRefusal? Refusal)> ResolveAsync(Rights rights, FlowTarget target, DnsEndPoint name, CancellationToken cancellationToken)
    {
        IPAddress[] found;
        try
        {
            using var limit = new CancellationTokenSource(ResolveTimeout, time);
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
            found = await resolve(name.Host, stop.Token);
        }
        catch (SocketException e)
        {
            return ([], e.SocketErrorCode is SocketError.HostNotFound or SocketError.NoData
                ? new FlowRefusal(FlowFailure.NotFound, $"{name.Host} does not exist")
                : new FlowRefusal(FlowFailure.Unreachable, $"{name.Host} could not be resolved"));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return ([], new FlowRefusal(FlowFailure.TimedOut, $"{name.Host} could not be resolved in time"));
        }

        if (found.Length == 0 || !TargetName.TryParse(target.Host, out var service))
        {
            return ([], new FlowRefusal(FlowFailure.NotFound, $"{name.Host} has no address"));
        }

        var addresses = found.Select(a => new IPEndPoint(a, name.Port)).ToList();
        foreach (var address in addresses)
        {
            var judged = planner.JudgeResolved(rights, service.Service, address, target.Protocol);
            if (judged.Verdict != Verdict.Allowed)
            {
                return ([], new FlowRefusal(FlowFailure.Denied, judged.Reason!));
            }
        }

        return ([.. addresses.Take(MaxResolved)], null);
    }

    private async Task<(FarEnd? FarEnd, FlowRefusal? Refusal)> DialAsync(IReadOnlyList<IPEndPoint> addresses, TransportProtocol protocol, CancellationToken cancellationToken)
    {
        if (protocol == TransportProtocol.Icmp)
        {
            return DialEcho(addresses[0]);
        }

        var refusal = new FlowRefusal(FlowFailure.NotFound, "there is nothing to dial");
        foreach (var address in addresses)
        {
            (var socket, refusal) = await FarSide.ConnectAsync(address, protocol, time, cancellationToken);
            if (socket is not null)
            {
                return (protocol == TransportProtocol.Tcp ? new FarEnd(Socket: socket) : new FarEnd(Datagrams: new UdpDatagramSocket(socket)), null);
            }
        }

        return (null, refusal);
    }

    private (FarEnd? FarEnd, FlowRefusal? Refusal) DialEcho(IPEndPoint address)
    {
        try
        {
            return (new FarEnd(Datagrams: EchoSocket.Connect(address.Address, time)), null);
        }
        catch (SocketException e)
        {
            return (null, e.SocketErrorCode == SocketError.AccessDenied
                ? new FlowRefusal(FlowFailure.Unreachable, "the gateway's pod may send no echo requests: the sysctl net.ipv4.ping_group_range leaves its group out")
                : FarSide.Explain(e, address));
        }
    }
}
