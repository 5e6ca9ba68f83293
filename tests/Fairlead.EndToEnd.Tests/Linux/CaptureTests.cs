using System.Net;
using System.Net.Sockets;
using Fairlead.Platform.Capture;

namespace Fairlead.EndToEnd.Tests.Linux;

/// <summary>What every way of capture promises, in a real network namespace. Needs root.</summary>
public sealed class CaptureTests : IDisposable
{
    private static readonly IPAddress Service = IPAddress.Parse("127.72.0.5");
    private static readonly IPAddress Other = IPAddress.Parse("127.72.0.6");
    private readonly LoopbackNamespace ns = new();

    public static TheoryData<CaptureWay> EveryWay => new(CaptureWay.SkLookup, CaptureWay.NftRedirect, CaptureWay.PortListeners);

    /// <summary>Those that take no port from local programs.</summary>
    public static TheoryData<CaptureWay> ModestWays => new(CaptureWay.SkLookup, CaptureWay.NftRedirect);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => ns.Dispose();

    [Fact]
    public async Task Best_way_is_picked()
    {
        var selection = ns.Open(null);
        await using var capture = selection.Capture;
        capture.Way.ShouldBe(CaptureWay.SkLookup);
        selection.Rejected.ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(EveryWay))]
    public async Task Connection_is_accepted_with_its_original_destination(CaptureWay way)
    {
        await using var capture = Open(way);
        Update(capture, Tcp(Service, 80), Tcp(Other, 8080)).Failures.ShouldBeEmpty();
        foreach (var destination in new[] { new IPEndPoint(Service, 80), new IPEndPoint(Other, 8080) })
        {
            using var client = ns.Tcp();
            await client.ConnectAsync(destination, Cancel);
            var accepted = await capture.AcceptAsync(Cancel);
            using var server = accepted.Socket;
            accepted.OriginalDestination.ShouldBe(destination);
            client.RemoteEndPoint.ShouldBe(destination);
            await client.SendAsync("ping"u8.ToArray(), Cancel);
            var buffer = new byte[10];
            (await server.ReceiveAsync(buffer, Cancel)).ShouldBe(4);
            await server.SendAsync("pong!"u8.ToArray(), Cancel);
            (await client.ReceiveAsync(buffer, Cancel)).ShouldBe(5);
        }
    }

    [Theory]
    [MemberData(nameof(EveryWay))]
    public async Task Datagram_comes_with_its_destination_and_is_answered_from_there(CaptureWay way)
    {
        await using var capture = Open(way);
        Update(capture, Udp(Service, 53), Udp(Other, 53)).Failures.ShouldBeEmpty();
        using var client = ns.Udp();
        foreach (var destination in new[] { new IPEndPoint(Service, 53), new IPEndPoint(Other, 53) })
        {
            await client.SendToAsync(new byte[] { 1, 2, 3 }, destination, Cancel);
            var buffer = new byte[65507];
            var datagram = await capture.ReceiveAsync(buffer, Cancel);
            datagram.OriginalDestination.ShouldBe(destination);
            buffer[..datagram.Length].ShouldBe([1, 2, 3]);
            foreach (var length in new[] { 0, 1, 1400, 65507 })
            {
                await capture.SendAsync(datagram.OriginalDestination, datagram.Client, new byte[length], Cancel);
                var reply = await client.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0), Cancel);
                (reply.ReceivedBytes, reply.RemoteEndPoint).ShouldBe((length, destination));
            }
        }
    }

    [Theory]
    [MemberData(nameof(EveryWay))]
    public async Task Connected_udp_client_gets_its_answers_and_its_empty_datagram_arrives(CaptureWay way)
    {
        await using var capture = Open(way);
        Update(capture, Udp(Service, 53));
        using var client = ns.Udp();
        await client.ConnectAsync(Service, 53, Cancel);
        var buffer = new byte[65507];
        var waiting = capture.ReceiveAsync(buffer, Cancel).AsTask();
        await client.SendAsync(Array.Empty<byte>(), Cancel);
        var datagram = await waiting;
        datagram.Length.ShouldBe(0);
        await capture.SendAsync(datagram.OriginalDestination, datagram.Client, new byte[] { 7 }, Cancel);
        (await client.ReceiveAsync(buffer, Cancel)).ShouldBe(1);
    }

    [Theory]
    [MemberData(nameof(EveryWay))]
    public async Task Datagram_longer_than_the_buffer_is_not_cut(CaptureWay way)
    {
        await using var capture = Open(way);
        Update(capture, Udp(Service, 53));
        using var client = ns.Udp();
        await client.ConnectAsync(Service, 53, Cancel);
        await client.SendAsync(new byte[100], Cancel);
        await client.SendAsync(new byte[5], Cancel);
        (await capture.ReceiveAsync(new byte[10], Cancel)).Length.ShouldBe(5);
    }

    [Theory]
    [MemberData(nameof(EveryWay))]
    public async Task Unknown_port_of_an_owned_address_is_refused(CaptureWay way)
    {
        await using var capture = Open(way);
        Update(capture, Tcp(Service, 80), Udp(Service, 53));
        await RefusedAsync(Service, 81);
        await RefusedAsync(Service, 53);
        await UnreachableAsync(Service, 80);
    }

    [Theory]
    [MemberData(nameof(EveryWay))]
    public async Task Entry_taken_out_is_refused_and_others_stay(CaptureWay way)
    {
        await using var capture = Open(way);
        Update(capture, Tcp(Service, 80), Tcp(Other, 80), Udp(Service, 53));
        Update(capture, Tcp(Other, 80));
        await RefusedAsync(Service, 80);
        await UnreachableAsync(Service, 53);
        await AcceptedAsync(capture, Other, 80);
        Update(capture, Tcp(Service, 80), Udp(Service, 53)).Failures.ShouldBeEmpty();
        await AcceptedAsync(capture, Service, 80);
    }

    [Theory]
    [MemberData(nameof(ModestWays))]
    public async Task Every_port_of_an_address_is_captured_by_a_wildcard(CaptureWay way)
    {
        await using var capture = Open(way);
        Update(capture, Tcp(Service, 0)).Failures.ShouldBeEmpty();
        await AcceptedAsync(capture, Service, 1);
        await AcceptedAsync(capture, Service, 65535);
    }

    [Theory]
    [MemberData(nameof(ModestWays))]
    public async Task Local_programs_keep_every_port_before_and_after(CaptureWay way)
    {
        using var before = ns.Serve(new IPEndPoint(IPAddress.Any, 8080), 1);
        await using var capture = Open(way);
        Update(capture, Tcp(Service, 8080), Tcp(Service, 9090), Tcp(Service, 7070)).Failures.ShouldBeEmpty();
        using var after = ns.Serve(new IPEndPoint(IPAddress.Any, 9090), 2);
        using var local = ns.Serve(new IPEndPoint(IPAddress.Loopback, 7070), 3);
        using var six = ns.Serve(new IPEndPoint(IPAddress.IPv6Any, 6060), 4);
        foreach (var port in new[] { 8080, 9090, 7070 })
        {
            await AcceptedAsync(capture, Service, port);
        }

        (await ns.GreetingAsync("127.0.0.1", 8080)).ShouldBe((byte)1);
        (await ns.GreetingAsync("127.0.0.1", 9090)).ShouldBe((byte)2);
        (await ns.GreetingAsync("127.0.0.1", 7070)).ShouldBe((byte)3);
        (await ns.GreetingAsync("127.0.0.1", 6060)).ShouldBe((byte)4);
        (await ns.GreetingAsync("127.1.2.3", 8080)).ShouldBe((byte)1);
        await RefusedAsync(Service, 6060);
    }

    [Theory]
    [MemberData(nameof(ModestWays))]
    public async Task Port_of_a_live_connection_can_be_bound_by_a_local_server(CaptureWay way)
    {
        await using var capture = Open(way);
        Update(capture, Tcp(Service, 8080));
        using var client = ns.Tcp();
        await client.ConnectAsync(Service, 8080, Cancel);
        using var accepted = (await capture.AcceptAsync(Cancel)).Socket;
        using var server = ns.Serve(new IPEndPoint(IPAddress.Any, 8080), 9);
        (await ns.GreetingAsync("127.0.0.1", 8080)).ShouldBe((byte)9);
        await client.SendAsync(new byte[] { 1 }, Cancel);
        (await accepted.ReceiveAsync(new byte[1], Cancel)).ShouldBe(1);
    }

    [Theory]
    [MemberData(nameof(ModestWays))]
    public async Task Sockets_of_the_capture_itself_are_closed_to_direct_connections(CaptureWay way)
    {
        await using var capture = Open(way);
        Update(capture, Tcp(Service, 80), Udp(Service, 53));
        var sockets = ns.Run("ss", "-Hltun").Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Select(fields => (Protocol: fields[0], EndPoint: IPEndPoint.Parse(fields[4]))).ToList();
        sockets.Count.ShouldBe(2);
        await RefusedAsync(sockets.Single(socket => socket.Protocol == "tcp").EndPoint.Address, sockets.Single(socket => socket.Protocol == "tcp").EndPoint.Port);
        await UnreachableAsync(sockets.Single(socket => socket.Protocol == "udp").EndPoint.Address, sockets.Single(socket => socket.Protocol == "udp").EndPoint.Port);
    }

    [Theory]
    [MemberData(nameof(EveryWay))]
    public async Task Dispose_leaves_nothing_and_ends_those_who_wait(CaptureWay way)
    {
        using var server = ns.Serve(new IPEndPoint(IPAddress.Any, 8080), 1);
        var rules = ns.Run("nft", "list", "ruleset");
        var capture = Open(way);
        Update(capture, Tcp(Service, 80), Udp(Service, 53));
        var accepting = capture.AcceptAsync(Cancel).AsTask();
        var receiving = capture.ReceiveAsync(new byte[10], Cancel).AsTask();
        await capture.DisposeAsync();
        await Should.ThrowAsync<ObjectDisposedException>(accepting);
        await Should.ThrowAsync<ObjectDisposedException>(receiving);
        ns.Journal.Pending.ShouldBeEmpty();
        ns.Run("nft", "list", "ruleset").ShouldBe(rules);
        (await ns.GreetingAsync("127.72.0.5", 8080)).ShouldBe((byte)1);
    }

    [Fact]
    public void Table_of_a_killed_redirect_is_undone_from_the_journal_and_other_tables_stay()
    {
        ns.Run("nft", "add table ip other; add chain ip other mine { type filter hook output priority 5; policy accept; }");
        var rules = ns.Run("nft", "list", "ruleset");
        var capture = Open(CaptureWay.NftRedirect);
        Update(capture, Tcp(Service, 80));
        ns.Run("nft", "list", "tables").ShouldContain("table ip fairlead");
        var change = ns.Journal.Pending.ShouldHaveSingleItem();
        for (var time = 0; time < 2; time++)
        {
            ns.Inside(() => ns.Host.TryUndoAsync(change, CancellationToken.None)).ShouldBeTrue();
            ns.Run("nft", "list", "ruleset").ShouldBe(rules);
        }
    }

    [Fact]
    public async Task Port_taken_by_a_local_program_is_named_where_ports_are_shared()
    {
        using var server = ns.Serve(new IPEndPoint(IPAddress.Any, 8080), 1);
        await using var capture = Open(CaptureWay.PortListeners);
        var result = ns.Inside(() => capture.UpdateAsync(new CaptureTable([Tcp(Service, 8080), Tcp(Service, 80), Tcp(Service, 0)], []), CancellationToken.None));
        result.Failures.Count.ShouldBe(2);
        var taken = result.Failures.Single(failure => failure.Entry.Port == 8080);
        taken.HolderPid.ShouldBe(Environment.ProcessId);
        taken.Reason.ShouldContain("port 8080 is taken by");
        await AcceptedAsync(capture, Service, 80);
        server.Dispose();
        Update(capture, Tcp(Service, 8080)).Failures.ShouldBeEmpty();
    }

    [Fact]
    public async Task Redirect_whose_table_somebody_flushed_is_whole_after_the_next_update()
    {
        await using var capture = Open(CaptureWay.NftRedirect);
        Update(capture, Tcp(Service, 80), Tcp(Service, 81), Udp(Service, 53));
        ns.Run("nft", "flush", "ruleset");
        Update(capture, Tcp(Service, 80), Tcp(Other, 80), Udp(Service, 53)).Failures.ShouldBeEmpty();
        await AcceptedAsync(capture, Service, 80);
        await AcceptedAsync(capture, Other, 80);
        await RefusedAsync(Service, 81);
    }

    [Fact]
    public async Task Lesser_way_comes_with_the_reasons_against_the_better_ones()
    {
        // No host has this address, so the sockets of the better ways can't be opened.
        var selection = ns.Inside(() => ns.Host.OpenCaptureAsync(new CaptureOptions(IPNetwork.Parse("203.0.113.0/24")), ns.Journal, CancellationToken.None));
        await using var capture = selection.Capture;
        capture.Way.ShouldBe(CaptureWay.PortListeners);
        selection.Rejected.Select(rejection => rejection.Way).ShouldBe([CaptureWay.SkLookup, CaptureWay.NftRedirect]);
        selection.Rejected.ShouldAllBe(rejection => rejection.Reason.Contains("assign requested address", StringComparison.Ordinal));
        Should.Throw<Fairlead.Platform.HostException>(() => ns.Inside(() => ns.Host.OpenCaptureAsync(
            new CaptureOptions(IPNetwork.Parse("203.0.113.0/24"), CaptureWay.SkLookup), ns.Journal, CancellationToken.None)));
        ns.Journal.Pending.ShouldBeEmpty();
    }

    [Fact]
    public async Task Neighbour_on_the_network_gets_no_service_even_where_loopback_addresses_are_routed()
    {
        using var neighbour = new LoopbackNamespace();
        ns.Run("ip", "link", "add", "outside", "type", "veth", "peer", "name", "outside", "netns", neighbour.Path);
        ns.Run("ip", "address", "add", "192.0.2.1/24", "dev", "outside");
        ns.Run("ip", "link", "set", "outside", "up");
        ns.Run("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1");
        neighbour.Run("ip", "link", "set", "lo", "down");
        neighbour.Run("ip", "address", "add", "192.0.2.2/24", "dev", "outside");
        neighbour.Run("ip", "link", "set", "outside", "up");
        neighbour.Run("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1");
        neighbour.Run("ip", "route", "add", "127.72.0.0/14", "via", "192.0.2.1");
        using var server = ns.Serve(new IPEndPoint(IPAddress.Any, 8080), 1);
        await using var capture = Open(CaptureWay.SkLookup);

        // The way there is open: the neighbour reaches what isn't captured.
        (await neighbour.GreetingAsync("127.72.0.6", 8080)).ShouldBe((byte)1);
        Update(capture, Tcp(Service, 80), Tcp(Other, 8080));
        foreach (var destination in new[] { new IPEndPoint(Service, 80), new IPEndPoint(Other, 8080) })
        {
            using var client = neighbour.Tcp();
            (await Should.ThrowAsync<SocketException>(async () => await client.ConnectAsync(destination, Cancel))).SocketErrorCode.ShouldBe(SocketError.ConnectionRefused);
        }

        await AcceptedAsync(capture, Service, 80);
    }

    [Fact]
    public async Task Two_captures_with_ranges_of_their_own_live_side_by_side()
    {
        await using var first = Open(CaptureWay.SkLookup);
        var second = ns.Inside(() => ns.Host.OpenCaptureAsync(new CaptureOptions(IPNetwork.Parse("127.80.0.0/16"), CaptureWay.SkLookup), ns.Journal, CancellationToken.None)).Capture;
        await using var alsoSecond = second;
        var far = IPAddress.Parse("127.80.0.1");
        Update(first, Tcp(Service, 80));
        Update(second, Tcp(far, 80));
        await AcceptedAsync(first, Service, 80);
        await AcceptedAsync(second, far, 80);
    }

    [Fact]
    public async Task Address_of_the_capture_itself_is_no_service()
    {
        await using var capture = Open(CaptureWay.SkLookup);
        Should.Throw<ArgumentException>(() => Update(capture, Tcp(IPAddress.Parse("127.72.0.0"), 80)));
    }

    private static CaptureEntry Tcp(IPAddress address, int port) => new(address, CaptureProtocol.Tcp, (ushort)port);

    private static CaptureEntry Udp(IPAddress address, int port) => new(address, CaptureProtocol.Udp, (ushort)port);

    private ILoopbackCapture Open(CaptureWay way)
    {
        var capture = ns.Open(way).Capture;
        capture.Way.ShouldBe(way);
        return new InsideCapture(ns, capture);
    }

    private CaptureResult Update(ILoopbackCapture capture, params IEnumerable<CaptureEntry> entries) => ns.Update(capture, entries);

    private async Task AcceptedAsync(ILoopbackCapture capture, IPAddress address, int port)
    {
        using var client = ns.Tcp();
        await client.ConnectAsync(address, port, Cancel);
        var accepted = await capture.AcceptAsync(Cancel);
        using var socket = accepted.Socket;
        accepted.OriginalDestination.ShouldBe(new IPEndPoint(address, port));
    }

    private async Task RefusedAsync(IPAddress address, int port)
    {
        using var client = ns.Tcp();
        (await Should.ThrowAsync<SocketException>(async () => await client.ConnectAsync(address, port, Cancel))).SocketErrorCode.ShouldBe(SocketError.ConnectionRefused);
    }

    private async Task UnreachableAsync(IPAddress address, int port)
    {
        using var client = ns.Udp();
        await client.ConnectAsync(address, port, Cancel);
        await client.SendAsync(new byte[] { 1 }, Cancel);
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        (await Should.ThrowAsync<SocketException>(async () => await client.ReceiveAsync(new byte[1], timeout.Token))).SocketErrorCode.ShouldBe(SocketError.ConnectionRefused);
    }

    /// <summary>Disposes inside the namespace, where the nft program must run.</summary>
    private sealed class InsideCapture(LoopbackNamespace ns, ILoopbackCapture inner) : ILoopbackCapture
    {
        public CaptureWay Way => inner.Way;

        public Task<CaptureResult> UpdateAsync(CaptureTable next, CancellationToken cancellationToken) => inner.UpdateAsync(next, cancellationToken);

        public ValueTask<CapturedConnection> AcceptAsync(CancellationToken cancellationToken) => inner.AcceptAsync(cancellationToken);

        public ValueTask<CapturedDatagram> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken) => inner.ReceiveAsync(buffer, cancellationToken);

        public ValueTask SendAsync(IPEndPoint source, IPEndPoint client, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken) =>
            inner.SendAsync(source, client, payload, cancellationToken);

        public ValueTask DisposeAsync()
        {
            ns.Inside(async () =>
            {
                await inner.DisposeAsync();
                return true;
            });
            return ValueTask.CompletedTask;
        }
    }
}
