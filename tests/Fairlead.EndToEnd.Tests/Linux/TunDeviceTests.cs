using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Fairlead.Linux.Namespaces;
using Fairlead.Platform;
using Fairlead.Platform.Capture;

namespace Fairlead.EndToEnd.Tests.Linux;

/// <summary>The device itself: what it leaves, what others do to it, whose traffic it takes, how much. Needs root.</summary>
public sealed class TunDeviceTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Device_has_its_addresses_and_mtu_and_goes_with_the_capture()
    {
        var tun = new TunNamespace(mtu: 9000);
        try
        {
            var shown = tun.Inside.Run("ip", "address", "show", "dev", tun.Tun.Device.Name);
            shown.ShouldContain("mtu 9000");
            shown.ShouldContain("inet 246.255.72.1/32");
            shown.ShouldContain("inet6 fd46:6169:726c:6561::1/128");
            await tun.Tun.DisposeAsync();
            (await tun.Tun.Lost).ShouldBeNull();
            tun.Inside.Run("ip", "-o", "link").ShouldNotContain("fairlead");
            tun.Inside.Run("ip", "route").ShouldBe("");
        }
        finally
        {
            await tun.DisposeAsync();
        }
    }

    [Fact]
    public async Task Deleted_device_is_told_and_can_be_opened_again()
    {
        await using var tun = new TunNamespace();
        var waiting = tun.Tun.ReceiveAsync(new byte[10], Cancel).AsTask();
        tun.Inside.Run("ip", "link", "delete", tun.Tun.Device.Name);
        (await tun.Tun.Lost.WaitAsync(Cancel)).ShouldNotBeNull().Message.ShouldContain(tun.Tun.Device.Name);
        await Should.ThrowAsync<HostException>(waiting);
        await Should.ThrowAsync<HostException>(async () => await tun.Tun.AcceptAsync(Cancel));

        await using var again = tun.Inside.Inside(() => tun.Inside.Host.OpenTunAsync(TunOptions.Default, Cancel));
        tun.Inside.Run("ip", "route", "add", "10.96.0.0/16", "dev", again.Device.Name);
        using var client = tun.Tcp();
        var connecting = client.ConnectAsync(TunNamespace.Service, 80, Cancel).AsTask();
        using var accepted = await (await again.AcceptAsync(Cancel)).AcceptAsync(Cancel);
        await connecting;
    }

    [Fact]
    public async Task Device_that_was_down_works_again()
    {
        await using var tun = new TunNamespace();
        tun.Inside.Run("ip", "link", "set", tun.Tun.Device.Name, "down");
        tun.Inside.Run("ip", "link", "set", tun.Tun.Device.Name, "up");
        tun.Inside.Run("ip", "route", "add", "10.96.0.0/16", "dev", tun.Tun.Device.Name);
        using var client = tun.Tcp();
        await client.ConnectAsync(TunNamespace.Service, 80, Cancel);
        tun.Tun.Lost.IsCompleted.ShouldBeFalse();
    }

    /// <summary>As in a container that may change its network but not make namespaces.</summary>
    [Fact]
    public async Task Without_the_right_to_make_namespaces_the_listeners_are_beside_the_device()
    {
        using var inside = new LoopbackNamespace();
        await using var tun = inside.Inside(() =>
        {
            DropSystemAdministration();
            return inside.Host.OpenTunAsync(TunOptions.Default, Cancel);
        });
        inside.Run("ip", "-o", "link").ShouldContain("fairlead-in0");
        inside.Run("ip", "route", "add", "10.96.0.0/16", "dev", tun.Device.Name);
        using var client = inside.Tcp();
        var connecting = client.ConnectAsync(TunNamespace.Service, 80, Cancel).AsTask();
        using var accepted = await (await tun.AcceptAsync(Cancel)).AcceptAsync(Cancel);
        await connecting;
        await client.SendAsync(new byte[] { 42 }, Cancel);
        var octet = new byte[1];
        (await accepted!.ReceiveAsync(octet, Cancel)).ShouldBe(1);
        octet.ShouldBe([42]);
    }

    [Fact]
    public async Task Container_that_routes_through_the_host_is_served_by_its_own_address()
    {
        ITunConnection? seen = null;
        await using var tun = new TunNamespace(serve: (connection, socket) =>
        {
            seen = connection;
            return TunNamespace.EchoAsync(socket);
        });
        using var container = NetworkNamespace.Create(tun.Inside.Path + "-container");
        tun.Inside.Run("ip", "link", "add", "inner", "mtu", "1400", "type", "veth", "peer", "name", "eth0", "mtu", "1400", "netns", container.Path);
        tun.Inside.Run("ip", "address", "add", "172.17.0.1/24", "dev", "inner");
        tun.Inside.Run("ip", "link", "set", "inner", "up");
        tun.Inside.Inside(() =>
        {
            File.WriteAllText("/proc/sys/net/ipv4/ip_forward", "1");
            return true;
        });
        Run(container, "ip", "address", "add", "172.17.0.5/24", "dev", "eth0");
        Run(container, "ip", "link", "set", "eth0", "up");
        Run(container, "ip", "route", "add", "default", "via", "172.17.0.1");

        using var client = container.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        await client.ConnectAsync(TunNamespace.Service, 80, Cancel);
        var sent = new byte[500_000];
        Random.Shared.NextBytes(sent);
        var sending = Task.Run(async () =>
        {
            for (var rest = sent.AsMemory(); !rest.IsEmpty;)
            {
                rest = rest[await client.SendAsync(rest, Cancel)..];
            }
        });
        var received = new byte[sent.Length];
        for (var at = 0; at < received.Length;)
        {
            var count = await client.ReceiveAsync(received.AsMemory(at), Cancel);
            count.ShouldBeGreaterThan(0);
            at += count;
        }

        await sending;
        received.ShouldBe(sent);
        seen!.Client.Address.ShouldBe(IPAddress.Parse("172.17.0.5"));

        // More than the container's link takes at once: in fragments there, and back.
        using var datagrams = container.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        await datagrams.SendToAsync(new byte[5000], new IPEndPoint(TunNamespace.Service, 53), Cancel);
        var datagram = await tun.Tun.ReceiveAsync(new byte[65_507], Cancel);
        datagram.Length.ShouldBe(5000);
        await tun.Tun.SendAsync(datagram.OriginalDestination, datagram.Client, new byte[6000], Cancel);
        (await datagrams.ReceiveAsync(new byte[65_507], Cancel)).ShouldBe(6000);
    }

    /// <summary>The far side closes its half at once, because no process here may have as many files open; the flows live all the same until their clients close.</summary>
    [Fact]
    public async Task Fifty_thousand_flows_to_two_destinations_are_open_at_once()
    {
        const int Processes = 3;
        const int Each = 16_700;
        await using var tun = new TunNamespace(serve: async (_, socket) =>
        {
            await socket.SendAsync(new byte[] { 42 });
            socket.Shutdown(SocketShutdown.Send);
        });
        tun.Inside.Inside(() =>
        {
            File.WriteAllText("/proc/sys/net/ipv4/ip_local_port_range", "1024 65000");
            return true;
        });
        const string Client = """
            import socket, sys
            held = []
            for i in range(int(sys.argv[1])):
                s = socket.create_connection(('10.96.0.%d' % (10 + i % 2), 80))
                assert s.recv(1) == b'*', i
                held.append(s)
            print(len(held), flush=True)
            sys.stdin.read()
            """;
        var clients = Enumerable.Range(0, Processes).Select(_ => tun.Start("python3", "-c", Client, Each.ToString(CultureInfo.InvariantCulture))).ToList();
        try
        {
            foreach (var client in clients)
            {
                (await client.StandardOutput.ReadLineAsync(Cancel)).ShouldBe(Each.ToString(CultureInfo.InvariantCulture));
            }

            tun.Tun.Counters.Flows.ShouldBe(Processes * Each);
        }
        finally
        {
            foreach (var client in clients)
            {
                client.StandardInput.Close();
                await client.WaitForExitAsync(Cancel);
                client.Dispose();
            }
        }

        while (tun.Tun.Counters.Flows > 0)
        {
            await Task.Delay(100, Cancel);
        }
    }

    private static void Run(NetworkNamespace network, string program, params string[] arguments)
    {
        using var process = network.Run(() => Process.Start(program, arguments));
        process.WaitForExit();
        process.ExitCode.ShouldBe(0);
    }

    /// <summary>This thread loses CAP_SYS_ADMIN, and with it those that it starts (capabilities(7)).</summary>
    private static void DropSystemAdministration()
    {
        const int Version = 0x20080522;
        const uint SystemAdministration = 1 << 21;
        int[] header = [Version, 0];
        var sets = new uint[6];
        GetCapabilities(header, sets).ShouldBe(0);
        for (var i = 0; i < 3; i++)
        {
            sets[i] &= ~SystemAdministration;
        }

        SetCapabilities(header, sets).ShouldBe(0);
    }

    [DllImport("libc", EntryPoint = "capget")]
    private static extern int GetCapabilities(int[] header, [Out] uint[] sets);

    [DllImport("libc", EntryPoint = "capset")]
    private static extern int SetCapabilities(int[] header, uint[] sets);
}
