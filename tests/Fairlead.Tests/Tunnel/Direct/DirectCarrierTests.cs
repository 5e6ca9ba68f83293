using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Direct;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Tunnel.Direct;

public sealed class DirectCarrierTests
{
    private static readonly FlowTarget Target = new(TransportProtocol.Tcp, "echo.shop.svc", 7);

    /// <summary>No spares: a test then counts the connections that flows need.</summary>
    private static readonly DirectCarrierOptions NoSpares = new() { MinSpare = 0, MaxSpare = 0 };

    [Fact]
    public async Task Flows_one_after_another_share_a_connection()
    {
        await using var gateway = await TestGateway.StartAsync();
        await using var proxy = new CuttingProxy(gateway.Direct.EndPoint.Port);
        await using var carrier = new DirectCarrier(new DnsEndPoint("127.0.0.1", proxy.Port), gateway.Space.Tls, NoSpares);
        for (var i = 0; i < 20; i++)
        {
            await EchoAsync(carrier);
        }

        proxy.Accepted.ShouldBe(1);
    }

    [Fact]
    public async Task Flows_at_the_same_time_have_connections_of_their_own()
    {
        await using var gateway = await TestGateway.StartAsync();
        await using var carrier = new DirectCarrier(gateway.DataEndPoint, gateway.Space.Tls, NoSpares);
        var openings = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => carrier.OpenAsync(Target, null, Soon).AsTask()));
        gateway.Direct.Connections.ShouldBe(10);
        foreach (var opening in openings)
        {
            await opening.Flow.ShouldNotBeNull().DisposeAsync();
        }
    }

    [Fact]
    public async Task Open_on_a_connection_that_died_in_the_pool_is_repeated_on_a_fresh_one()
    {
        await using var gateway = await TestGateway.StartAsync();
        await using var carrier = new DirectCarrier(gateway.DataEndPoint, gateway.Space.Tls, NoSpares);
        for (var i = 0; i < 3; i++)
        {
            await EchoAsync(carrier);
            await gateway.StopDirectAsync();
            gateway.RestartDirect();
        }

        await EchoAsync(carrier);
    }

    [Fact]
    public async Task Open_with_a_renewed_certificate_uses_no_old_connection()
    {
        await using var gateway = await TestGateway.StartAsync();
        await using var carrier = new DirectCarrier(gateway.DataEndPoint, gateway.Space.Tls, NoSpares);
        var subjects = new List<string>();
        gateway.Handler = (incoming, token) =>
        {
            subjects.Add(incoming.Peer.Subject);
            return TestGateway.EchoAsync(incoming, token);
        };
        await EchoAsync(carrier);
        gateway.Space.Client = gateway.Space.IssueClient("renewed");
        await EchoAsync(carrier);
        subjects.ShouldBe(["invite:alice", "invite:renewed"]);
    }

    [Theory]
    [InlineData(FlowFailure.ConnectionRefused)]
    [InlineData(FlowFailure.TimedOut)]
    [InlineData(FlowFailure.Unreachable)]
    [InlineData(FlowFailure.NotFound)]
    [InlineData(FlowFailure.Denied)]
    [InlineData(FlowFailure.Overloaded)]
    public async Task Refusal_reaches_the_laptop_and_the_connection_serves_on(FlowFailure failure)
    {
        await using var gateway = await TestGateway.StartAsync();
        await using var proxy = new CuttingProxy(gateway.Direct.EndPoint.Port);
        await using var carrier = new DirectCarrier(new DnsEndPoint("127.0.0.1", proxy.Port), gateway.Space.Tls, NoSpares);
        gateway.Handler = async (incoming, token) => await incoming.RefuseAsync(new FlowRefusal(failure, "because of the test"), token);
        (await carrier.OpenAsync(Target, null, Soon)).Refusal.ShouldBe(new FlowRefusal(failure, "because of the test"));
        gateway.Handler = TestGateway.EchoAsync;
        await EchoAsync(carrier);
        proxy.Accepted.ShouldBe(1);
    }

    [Fact]
    public async Task Handler_that_fails_is_a_refusal()
    {
        await using var gateway = await TestGateway.StartAsync();
        await using var carrier = new DirectCarrier(gateway.DataEndPoint, gateway.Space.Tls, NoSpares);
        gateway.Handler = (_, _) => throw new InvalidOperationException("a defect");
        (await carrier.OpenAsync(Target, null, Soon)).Refusal!.Failure.ShouldBe(FlowFailure.Unreachable);
    }

    [Fact]
    public async Task Drain_refuses_new_flows_and_lets_open_ones_finish()
    {
        await using var gateway = await TestGateway.StartAsync();
        await using var carrier = new DirectCarrier(gateway.DataEndPoint, gateway.Space.Tls, NoSpares);
        var open = (await carrier.OpenAsync(Target, null, Soon)).Flow.ShouldNotBeNull();
        var draining = gateway.Direct.DrainAsync(TimeSpan.FromSeconds(15), Soon);

        (await carrier.OpenAsync(Target, null, Soon)).Refusal!.Failure.ShouldBe(FlowFailure.Draining);
        draining.IsCompleted.ShouldBeFalse();
        await FlowProperties.EchoesRandomChunksAsync(open, 1, 100_000);
        await draining;
        gateway.Direct.Connections.ShouldBe(0);
    }

    [Fact]
    public async Task Drain_past_its_deadline_aborts_what_is_left()
    {
        await using var gateway = await TestGateway.StartAsync();
        await using var carrier = new DirectCarrier(gateway.DataEndPoint, gateway.Space.Tls, NoSpares);
        await using var open = await EstablishAsync(gateway, carrier);
        await gateway.Direct.DrainAsync(TimeSpan.FromMilliseconds(20), Soon);
        (await Should.ThrowAsync<FlowAbortedException>(async () => await open.ReadAsync(new byte[1], Soon))).Failure.ShouldBe(FlowFailure.Draining);
    }

    [Fact]
    public async Task Close_of_an_identity_ends_its_flows_and_no_others()
    {
        await using var gateway = await TestGateway.StartAsync();
        await using var alice = new DirectCarrier(gateway.DataEndPoint, gateway.Space.Tls, NoSpares);
        var bobs = gateway.Space.IssueClient("bob");
        await using var bob = new DirectCarrier(gateway.DataEndPoint, new TunnelTls(TestSpace.Uid, gateway.Space.Authority, () => bobs), NoSpares);
        await using var hers = await EstablishAsync(gateway, alice);
        var his = (await bob.OpenAsync(Target, null, Soon)).Flow.ShouldNotBeNull();

        gateway.Direct.Close(p => p.Subject == "invite:alice").ShouldBe(1);

        (await Should.ThrowAsync<FlowAbortedException>(async () => await hers.ReadAsync(new byte[1], Soon))).Failure.ShouldBe(FlowFailure.Denied);
        await FlowProperties.EchoesRandomChunksAsync(his, 2, 50_000);
    }

    [Fact]
    public async Task Garbage_and_silence_on_the_listener_keep_nobody_out()
    {
        await using var gateway = await TestGateway.StartAsync();
        var random = new Random(7);
        var hostile = new List<Socket>();
        for (var i = 0; i < 60; i++)
        {
            // From a host of their own: who shares an address with them may be driven out with them.
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.Parse("127.0.0.2"), 0));
            await socket.ConnectAsync(gateway.Direct.EndPoint);
            if (i % 2 == 0)
            {
                var garbage = new byte[random.Next(1, 5000)];
                random.NextBytes(garbage);
                await socket.SendAsync(garbage);
            }

            hostile.Add(socket);
        }

        await using var carrier = new DirectCarrier(gateway.DataEndPoint, gateway.Space.Tls, NoSpares);
        await EchoAsync(carrier);

        // The silent ones are reset too, by the limit or by the timeout.
        foreach (var socket in hostile)
        {
            await Record.ExceptionAsync(async () => (await socket.ReceiveAsync(new byte[100], Soon)).ShouldBeLessThan(100));
            socket.Dispose();
        }
    }

    [Fact]
    public async Task Handshakes_take_turns_and_established_connections_wait_for_none_of_them()
    {
        using var space = new TestSpace();
        using var judged = new ManualResetEventSlim(initialState: true);
        var (judging, most) = (0, 0);
        await using var server = new DirectCarrierServer(
            new DirectCarrierServerOptions
            {
                EndPoint = new IPEndPoint(IPAddress.Loopback, 0),
                Certificate = () => space.ServerContext,
                Identify = certificate =>
                {
                    lock (judged)
                    {
                        most = Math.Max(most, ++judging);
                    }

                    judged.Wait(Soon);
                    Interlocked.Decrement(ref judging);
                    return space.Identify(certificate);
                },
            },
            new Echo(),
            NullLogger<DirectCarrierServer>.Instance);
        server.Start();
        var endPoint = new DnsEndPoint("127.0.0.1", server.EndPoint.Port);
        await using var established = new DirectCarrier(endPoint, space.Tls, NoSpares);
        await using var connection = await established.DialAsync(Soon);
        await established.PingAsync(connection, 1, Soon);

        judged.Reset();
        await using var crowd = new DirectCarrier(endPoint, space.Tls, NoSpares);
        var dials = Enumerable.Range(0, 40).Select(_ => crowd.DialAsync(Soon)).ToList();
        await UntilAsync(() => Volatile.Read(ref judging) > 0);

        await established.PingAsync(connection, 2, Soon);
        Volatile.Read(ref judging).ShouldBeGreaterThan(0);
        judged.Set();

        // Every one comes to its turn.
        foreach (var dial in dials)
        {
            await using var made = await dial;
            await crowd.PingAsync(made, 3, Soon);
        }

        most.ShouldBeLessThanOrEqualTo(Math.Max(1, Environment.ProcessorCount / 2));
    }

    [Fact]
    public async Task Frame_too_large_or_out_of_place_ends_only_its_own_connection()
    {
        await using var gateway = await TestGateway.StartAsync();
        await using var carrier = new DirectCarrier(gateway.DataEndPoint, gateway.Space.Tls, NoSpares);
        await using var open = (await carrier.OpenAsync(Target, null, Soon)).Flow.ShouldNotBeNull();
        foreach (var frame in new byte[][] { [3, 0xFF, 0xFF, 0xFF], [1, 0, 0, 4, 9, 0, 80, 65], [4, 0, 0, 0], [0x55, 1, 2, 3], [1, 0, 0, 4, 0, 0, 0, 65] })
        {
            using var tls = await RawClient.ConnectAsync(gateway);
            await tls.WriteAsync(frame, Soon);
            var answer = new byte[200];
            var count = 0;
            try
            {
                count = await tls.ReadAtLeastAsync(answer, answer.Length, throwOnEndOfStream: false, Soon);
            }
            catch (IOException)
            {
                // The reset overtook the reason.
            }

            if (count > 0)
            {
                answer[0].ShouldBe((byte)FrameType.Abort);
                answer[4].ShouldBe((byte)FlowFailure.ProtocolError);
            }
        }

        await open.WriteAsync(new byte[1], Soon);
        (await open.ReadAsync(new byte[10], Soon)).ShouldBe(1);
    }

    [Fact]
    public async Task Client_without_a_certificate_gets_no_connection()
    {
        await using var gateway = await TestGateway.StartAsync();
        await Should.ThrowAsync<Exception>(async () =>
        {
            using var tls = await RawClient.ConnectAsync(gateway, withCertificate: false);
            await tls.WriteAsync(FrameCodec.Ping(FrameType.Ping, new byte[8]), Soon);
            await tls.ReadExactlyAsync(new byte[12], Soon);
        });
    }

    [Fact]
    public async Task Pool_dials_spares_after_a_miss_and_closes_them_when_idle()
    {
        await using var gateway = await TestGateway.StartAsync();
        var time = new ManualTime();
        await using var carrier = new DirectCarrier(gateway.DataEndPoint, gateway.Space.Tls, new DirectCarrierOptions { MinSpare = 1, MaxSpare = 8 }, time: time);
        await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => EchoAsync(carrier)));
        await UntilAsync(() => carrier.IdleConnections > 1);

        await UntilAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(10));
            return carrier.IdleConnections == 1 && gateway.Direct.Connections == 1;
        });
    }

    /// <summary>A flow whose answer is wholly written: the gateway can say why it ends only where no write of its own is under way.</summary>
    private static async Task<IFlow> EstablishAsync(TestGateway gateway, DirectCarrier carrier)
    {
        var (handler, written) = (gateway.Handler, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        gateway.Handler = async (incoming, token) =>
        {
            await using var flow = await incoming.AcceptAsync(token);
            written.SetResult();
            await flow.ReadAsync(new byte[1], token);
        };
        var opening = await carrier.OpenAsync(Target, null, Soon);
        await written.Task.WaitAsync(Limit);
        gateway.Handler = handler;
        return opening.Flow.ShouldNotBeNull(opening.Refusal?.Message);
    }

    private static async Task EchoAsync(DirectCarrier carrier)
    {
        var opening = await carrier.OpenAsync(Target, null, Soon);
        await FlowProperties.EchoesRandomChunksAsync(opening.Flow.ShouldNotBeNull(opening.Refusal?.Message), 5, 3000);
    }

    private sealed class Echo : IFlowHandler
    {
        public Task HandleAsync(IIncomingFlow flow, CancellationToken cancellationToken) => TestGateway.EchoAsync(flow, cancellationToken);
    }
}
