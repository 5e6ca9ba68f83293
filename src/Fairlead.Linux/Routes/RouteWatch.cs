using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Fairlead.Linux.Native;
using Fairlead.Linux.Netlink;
using Fairlead.Platform.Routes;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Routes;

/// <summary>
/// Listens to changes of routes, rules, links and addresses from the moment it is opened, on a thread while <see cref="RunAsync"/> is enumerated. What
/// one socket of ours changed is left out. Sleep is noticed by the clock that goes on meanwhile.
/// </summary>
internal sealed class RouteWatch : IDisposable
{
    // linux/rtnetlink.h, RTNLGRP_*: links; addresses, routes and rules of IPv4 and IPv6
    private static readonly int[] Groups = [1, 5, 7, 8, 9, 11, 19];

    /// <summary>How late a wake may be noticed; each check costs a few system calls.</summary>
    private const int ClockInterval = 5000;

    /// <summary>The clocks differ by this much only when the machine slept.</summary>
    private static readonly TimeSpan ShortestSleep = TimeSpan.FromSeconds(2);

    private readonly NetlinkSocket socket;
    private readonly uint own;
    private readonly Func<int, string?> nameOf;

    private RouteWatch(NetlinkSocket socket, uint own, Func<int, string?> nameOf) => (this.socket, this.own, this.nameOf) = (socket, own, nameOf);

    /// <param name="own">The port of the socket whose changes are ours.</param>
    /// <param name="nameOf">Of a link, when it is known.</param>
    /// <exception cref="Platform.HostException">The kernel refused.</exception>
    public static RouteWatch Open(uint own, Func<int, string?> nameOf) => new(NetlinkSocket.Open(Groups), own, nameOf);

    public async IAsyncEnumerable<HostNetworkChange> RunAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stop = Libc.OpenEvent(0, Libc.EventCloseOnExec);
        if (stop.IsInvalid)
        {
            throw Errno.Failure("can't watch the routes");
        }

        // One slot: a change that nobody has fetched yet stands for those after it.
        var changes = Channel.CreateBounded<HostNetworkChange>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        var thread = Task.Factory.StartNew(() => Run(stop, changes.Writer), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            await foreach (var change in changes.Reader.ReadAllAsync(cancellationToken))
            {
                yield return change;
            }
        }
        finally
        {
            Signal(stop);
            await thread;
        }
    }

    public void Dispose() => socket.Dispose();

    private void Run(SafeFileHandle stop, ChannelWriter<HostNetworkChange> changes)
    {
        try
        {
            var slept = Slept();
            while (Wait(stop, out var readable))
            {
                HostNetworkChange? change = null;
                if (readable && !socket.Listen(message => change ??= message.Port == own && own != 0 ? null : Describe(message)))
                {
                    change = new HostNetworkChange("more changed than could be followed");
                }

                if (Slept() is var now && now - slept > ShortestSleep)
                {
                    slept = now;
                    change ??= new HostNetworkChange("this machine slept");
                }

                if (change is { } first)
                {
                    changes.TryWrite(first);
                }
            }

            changes.TryComplete();
        }
        catch (Exception exception)
        {
            changes.TryComplete(exception);
        }
    }

    /// <summary>Null: nothing that matters.</summary>
    private HostNetworkChange? Describe(NetlinkMessage message)
    {
        switch (message.Type)
        {
            case RouteMessages.NewRoute or RouteMessages.DeleteRoute:
                var routes = new List<RouteMessages.ReadRoute>(1);
                RouteMessages.ReadRoutes(message.Body, routes);
                return routes is [var route, ..]
                    ? new HostNetworkChange($"route {route.Route.Destination}{Device(route.Route.Device)} {Verb(message.Type == RouteMessages.NewRoute)}", route.Route.Device)
                    : null;
            case RouteMessages.NewRule or RouteMessages.DeleteRule:
                return RouteMessages.ReadRuleOf(message.Body) is { } rule ? new HostNetworkChange($"rule {rule.Rule.Priority} {Verb(message.Type == RouteMessages.NewRule)}") : null;
            case RouteMessages.NewAddress or RouteMessages.DeleteAddress:
                return RouteMessages.ReadAddress(message.Body) is { } address
                    ? new HostNetworkChange($"address {address.Address}{Device(address.Device)} {Verb(message.Type == RouteMessages.NewAddress)}", address.Device)
                    : null;
            case RouteMessages.NewLink or RouteMessages.DeleteLink:
                return RouteMessages.ReadLink(message.Body) is { } link
                    ? new HostNetworkChange($"link {link.Name} {(message.Type == RouteMessages.DeleteLink ? "went" : link.IsUp ? "is up" : "is down")}", link.Index)
                    : null;
            default:
                return null;
        }
    }

    private string Device(int index) => index == 0 ? "" : $" dev {nameOf(index) ?? $"if{index}"}";

    private static string Verb(bool comes) => comes ? "came" : "went";

    private unsafe bool Wait(SafeFileHandle stop, out bool readable)
    {
        var entries = stackalloc Libc.PollEntry[2];
        entries[0] = new Libc.PollEntry { File = (int)socket.Handle.DangerousGetHandle(), Events = Libc.PollIn };
        entries[1] = new Libc.PollEntry { File = (int)stop.DangerousGetHandle(), Events = Libc.PollIn };
        while (Libc.Poll(entries, 2, ClockInterval) < 0)
        {
            if (Errno.Last != Errno.Interrupted)
            {
                throw Errno.Failure("can't wait for changes of routes");
            }
        }

        readable = entries[0].Returned != 0;
        return entries[1].Returned == 0;
    }

    /// <summary>clock_gettime(2): one clock stands still while the machine sleeps, the other doesn't.</summary>
    private static TimeSpan Slept()
    {
        if (Libc.GetClock(Libc.ClockBootTime, out var boot) != 0 || Libc.GetClock(Libc.ClockMonotonic, out var awake) != 0)
        {
            throw Errno.Failure("can't read the clock");
        }

        return boot.Span - awake.Span;
    }

    private static unsafe void Signal(SafeFileHandle stop)
    {
        ulong one = 1;
        if (Libc.Write(stop, (byte*)&one, sizeof(ulong)) != sizeof(ulong))
        {
            throw Errno.Failure("can't stop a watch");
        }
    }
}
