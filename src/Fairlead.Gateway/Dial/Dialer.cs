using System.Net;
using System.Net.Sockets;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Policy;
using Fairlead.Tunnel;

namespace Fairlead.Gateway.Dial;

/// <summary>Carries out a <see cref="FlowPlan"/>: a connected socket, or why there is none.</summary>
/// <param name="resolve">Name, which is absolute, to addresses.</param>
internal sealed class Dialer(FlowPlanner planner, Func<string, CancellationToken, Task<IPAddress[]>> resolve, TimeProvider time)
{
    /// <summary>For one address; about as long as a person waits, and far shorter than the kernel's two minutes of SYNs.</summary>
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan ResolveTimeout = TimeSpan.FromSeconds(5);

    /// <summary>How long the news of a new pod may take from the API server to here.</summary>
    private static readonly TimeSpan SettleTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SettleInterval = TimeSpan.FromMilliseconds(25);

    private const int MaxResolved = 4;

    /// <summary>The caller owns the socket. UDP sockets are connected too: only the far side is heard, and its ICMP errors.</summary>
    public async Task<(Socket? Socket, FlowRefusal? Refusal)> DialAsync(Rights rights, FlowTarget target, CancellationToken cancellationToken)
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

        return await DialAsync(plan.Dial!, target.Protocol, cancellationToken);
    }

    private async Task<FlowPlan> SettleAsync(Rights rights, FlowTarget target, FlowPlan plan, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        while (plan.Unsettled is not null && time.GetElapsedTime(began) < SettleTimeout)
        {
            await Task.Delay(SettleInterval, time, cancellationToken);
            plan = planner.Plan(rights, target);
        }

        return plan.Unsettled is { } reason ? new FlowPlan(Refusal: new FlowRefusal(FlowFailure.Denied, reason)) : plan;
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

    private async Task<(Socket? Socket, FlowRefusal? Refusal)> DialAsync(IReadOnlyList<IPEndPoint> addresses, TransportProtocol protocol, CancellationToken cancellationToken)
    {
        FlowRefusal? refusal = null;
        foreach (var address in addresses)
        {
            var socket = protocol == TransportProtocol.Tcp
                ? new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }
                : new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            try
            {
                using var limit = new CancellationTokenSource(ConnectTimeout, time);
                using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
                await socket.ConnectAsync(address, stop.Token);
                return (socket, null);
            }
            catch (SocketException e)
            {
                socket.Dispose();
                refusal = Explain(e, address);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                socket.Dispose();
                refusal = new FlowRefusal(FlowFailure.TimedOut, $"{address} did not answer within {ConnectTimeout.TotalSeconds:0} s");
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }

        return (null, refusal ?? new FlowRefusal(FlowFailure.NotFound, "there is nothing to dial"));
    }

    private static FlowRefusal Explain(SocketException e, IPEndPoint address) => e.SocketErrorCode switch
    {
        SocketError.ConnectionRefused => new FlowRefusal(FlowFailure.ConnectionRefused, $"{address} refused the connection"),
        SocketError.TimedOut => new FlowRefusal(FlowFailure.TimedOut, $"{address} did not answer"),
        SocketError.ConnectionReset => new FlowRefusal(FlowFailure.Reset, $"{address} reset the connection"),
        SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.HostDown or SocketError.NetworkDown
            => new FlowRefusal(FlowFailure.Unreachable, $"{address} can't be reached"),
        SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable or SocketError.AddressNotAvailable
            => new FlowRefusal(FlowFailure.Overloaded, "the gateway has no sockets left"),
        _ => new FlowRefusal(FlowFailure.Unreachable, $"{address}: {e.Message}"),
    };
}
