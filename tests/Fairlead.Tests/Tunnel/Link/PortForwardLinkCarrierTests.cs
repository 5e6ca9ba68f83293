using System.Collections.Concurrent;
using System.Net.Sockets;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Link;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Tunnel.Link;

/// <summary>Two replicas of a gateway that are reached by the names of their pods.</summary>
public sealed class PortForwardLinkCarrierTests : IAsyncLifetime, IPodDialer
{
    private static readonly FlowTarget Tcp = new(TransportProtocol.Tcp, "echo.shop.svc", 7);

    private readonly TestSpace _space = new();
    private readonly Dictionary<string, TestGateway> _pods = [];
    private readonly ConcurrentDictionary<Forward, bool> _open = new();
    private SharedLinkCarrier _carrier = null!;
    private FairleadException? _refusal;
    private bool _previous;

    public async ValueTask InitializeAsync()
    {
        _pods["a"] = await TestGateway.StartAsync(_space, pod: "a");
        _pods["b"] = await TestGateway.StartAsync(_space, pod: "b");
        _carrier = new SharedLinkCarrier(Dialer(TimeProvider.System), _space.Tls, NullLogger.Instance, TimeProvider.System);
        _carrier.Expect(["a", "b"]);
    }

    public async ValueTask DisposeAsync()
    {
        await _carrier.DisposeAsync();
        foreach (var gateway in _pods.Values)
        {
            await gateway.StopAsync();
        }

        _space.Dispose();
    }

    [Fact]
    public async Task Flows_go_through_the_api_server_and_the_carrier_says_so()
    {
        await _carrier.PingAsync(Soon);
        await EchoAsync();
        _carrier.Where.ShouldBe("https://api");
    }

    [Fact]
    public async Task Flows_share_connections_to_the_data_port_once_there_are_some()
    {
        var patience = Soon;
        while (_carrier.SharedConnections == 0)
        {
            await _carrier.PingAsync(patience);
            await Task.Delay(1, patience);
        }

        var taken = new TaskCompletionSource<IIncomingFlow>();
        _pods["a"].Handler = _pods["b"].Handler = (flow, token) =>
        {
            taken.TrySetResult(flow);
            return TestGateway.EchoAsync(flow, token);
        };
        await EchoAsync();
        (await taken.Task.WaitAsync(Soon)).GetType().FullName!.ShouldContain(".Mux.");
    }

    [Fact]
    public async Task Flows_to_a_gateway_of_the_previous_version_go_over_its_api()
    {
        _previous = true;
        await HoldBothAsync();
        await EchoAsync();
        _carrier.SharedConnections.ShouldBe(0);
    }

    [Fact]
    public async Task Carrier_comes_to_hold_connections_to_both_replicas()
    {
        await HoldBothAsync();
        _carrier.Replicas.Order().ShouldBe(["a", "b"]);
    }

    [Fact]
    public async Task Replica_that_is_lost_costs_no_new_flow()
    {
        await HoldBothAsync();
        await _pods["a"].StopAsync();
        for (var i = 0; i < 20; i++)
        {
            await EchoAsync();
        }

        await _carrier.PingAsync(Soon);
        _carrier.Replicas.ShouldBe(["b"]);
    }

    [Fact]
    public async Task Replica_that_drains_gets_no_new_flow_and_keeps_those_it_has()
    {
        await HoldBothAsync();
        var held = new List<IFlow>();
        for (var i = 0; i < 8; i++)
        {
            held.Add((await _carrier.OpenAsync(Tcp, null, Soon)).Flow.ShouldNotBeNull());
        }

        var refused = 0;
        _pods["a"].Unavailable = "draining";
        _pods["a"].Handler = async (flow, token) =>
        {
            Interlocked.Increment(ref refused);
            await flow.RefuseAsync(new FlowRefusal(FlowFailure.Draining, "the gateway is going away"), token);
        };
        for (var i = 0; i < 20; i++)
        {
            await EchoAsync();
        }

        refused.ShouldBeLessThan(5);
        foreach (var flow in held)
        {
            await flow.WriteAsync("still here"u8.ToArray(), Soon);
            await flow.CompleteWritesAsync(Soon);
            (await FlowReading.ToEndAsync(flow)).ShouldBe("still here"u8.ToArray());
            await flow.DisposeAsync();
        }
    }

    [Fact]
    public async Task Replica_that_starts_is_not_asked_for_anything_yet()
    {
        _pods["a"].Unavailable = "the cluster is not known yet";
        await Should.NotThrowAsync(async () =>
        {
            while (_carrier.Replicas.Count == 0)
            {
                await Shown(_carrier.PingAsync(Soon));
            }
        });
        _carrier.Replicas.ShouldBe(["b"]);

        static async Task Shown(Task ping)
        {
            try
            {
                await ping;
            }
            catch (CarrierException e)
            {
                e.Error.Code.ShouldBe(LinkProblems.DrainingCode);
            }
        }
    }

    [Fact]
    public async Task Refusal_of_the_cluster_is_the_carrier_s()
    {
        _refusal = new FairleadException(ErrorCategory.Denied, "cluster-rights-missing", "Your rights in the cluster do not suffice");
        (await Should.ThrowAsync<CarrierException>(() => _carrier.PingAsync(Soon))).Error.ShouldBe(_refusal.Error);
        (await _carrier.OpenAsync(Tcp, null, Soon)).Refusal!.Failure.ShouldBe(FlowFailure.LinkDown);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Carrier_that_is_left_takes_nothing_new_keeps_its_flows_and_closes_when_they_have_ended(bool previous)
    {
        _previous = previous;
        await UseAsync(_carrier);
        var flow = (await _carrier.OpenAsync(Tcp, null, Soon)).Flow.ShouldNotBeNull();

        _carrier.Leave(lost: false);
        (await _carrier.OpenAsync(Tcp, null, Soon)).Refusal!.Failure.ShouldBe(FlowFailure.LinkDown);
        using var request = new HttpRequestMessage(HttpMethod.Get, "https://gateway/who");
        (await Should.ThrowAsync<CarrierException>(() => _carrier.SendAsync(request, Soon))).Error.ShouldBe(LinkProblems.Left);

        // One that goes on is the last that is closed.
        await UntilAsync(() => _open.Count == 1);
        await flow.WriteAsync("still here"u8.ToArray(), Soon);
        await flow.CompleteWritesAsync(Soon);
        (await FlowReading.ToEndAsync(flow)).ShouldBe("still here"u8.ToArray());
        await flow.DisposeAsync();
        await UntilAsync(() => _open.IsEmpty);

        await UseAsync(_carrier);
        await EchoAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Open_without_an_answer_on_a_carrier_that_was_left_may_be_asked_elsewhere_when_its_path_dies(bool previous)
    {
        _previous = previous;
        var time = new ManualTime();
        await using var carrier = new SharedLinkCarrier(Dialer(time), _space.Tls, NullLogger.Instance, time);
        await UseAsync(carrier);
        var asked = new TaskCompletionSource();
        _pods["a"].Handler = _pods["b"].Handler = (_, token) =>
        {
            asked.TrySetResult();
            return Task.Delay(Timeout.Infinite, token);
        };
        var opening = carrier.OpenAsync(Tcp, null, Soon).AsTask();
        await asked.Task.WaitAsync(Soon);
        carrier.Leave(lost: false);

        foreach (var connection in _open.Keys)
        {
            connection.Silent = true;
        }

        await UntilAsync(() =>
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            return opening.IsCompleted;
        });
        (await opening).Refusal!.Failure.ShouldBe(FlowFailure.LinkDown);
    }

    [Fact]
    public async Task Two_hundred_stalled_flows_and_a_busy_one_delay_no_new_flow()
    {
        await HoldBothAsync();
        var full = new byte[4 << 20];
        var stalled = new List<IFlow>();
        foreach (var gateway in _pods.Values)
        {
            gateway.Handler = async (incoming, token) =>
            {
                if (incoming.Target.Port != 9)
                {
                    await TestGateway.EchoAsync(incoming, token);
                    return;
                }

                await using var far = await incoming.AcceptAsync(token);
                await far.WriteAsync(full, token);
            };
        }

        for (var i = 0; i < 200; i++)
        {
            var flow = (await _carrier.OpenAsync(Tcp with { Port = 9 }, null, Soon)).Flow.ShouldNotBeNull();
            (await flow.ReadAsync(new byte[1], Soon)).ShouldBe(1);
            stalled.Add(flow);
        }

        for (var i = 0; i < 20; i++)
        {
            await EchoAsync();
        }

        foreach (var flow in stalled)
        {
            flow.Abort(FlowFailure.Reset);
            await flow.DisposeAsync();
        }
    }

    public async Task<PodConnection> DialAsync(string? pod, int port, CancellationToken cancellationToken)
    {
        if (_refusal is not null)
        {
            throw _refusal;
        }

        var gateway = _pods[pod ?? "a"];
        if (_previous && port != TunnelLinkOptions.DefaultPodPort)
        {
            // A node takes the forward, and closes it when nothing listens in the pod.
            return new PodConnection(Stream.Null, "https://api");
        }

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync("127.0.0.1", port == TunnelLinkOptions.DefaultPodPort ? gateway.ApiPort : gateway.Direct.EndPoint.Port, cancellationToken);
            return new PodConnection(new Forward(new NetworkStream(socket, ownsSocket: true), _open), "https://api");
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new FairleadException(ErrorCategory.Failed, "cluster-refused", "The cluster refused", e.Message, inner: e);
        }
    }

    private PortForwardLaneDialer Dialer(TimeProvider time) => new(this, ["a", "b"], TunnelLinkOptions.DefaultPodPort, TunnelLinkOptions.DefaultPodDataPort, time);

    /// <summary>Until flows go the way that they will go.</summary>
    private async Task UseAsync(SharedLinkCarrier carrier)
    {
        do
        {
            await carrier.PingAsync(Soon);
        }
        while (!_previous && carrier.SharedConnections == 0);
    }

    private async Task HoldBothAsync()
    {
        while (_carrier.Replicas.Count < 2)
        {
            await _carrier.PingAsync(Soon);
        }
    }

    private async Task EchoAsync()
    {
        await using var flow = (await _carrier.OpenAsync(Tcp, null, Soon)).Flow.ShouldNotBeNull();
        await flow.WriteAsync("hello"u8.ToArray(), Soon);
        await flow.CompleteWritesAsync(Soon);
        (await FlowReading.ToEndAsync(flow)).ShouldBe("hello"u8.ToArray());
    }

    /// <summary>A connection to a pod that can fall silent: what comes from then on is swallowed.</summary>
    private sealed class Forward : DuplexStream
    {
        private readonly Stream _inner;
        private readonly ConcurrentDictionary<Forward, bool> _open;

        public Forward(Stream inner, ConcurrentDictionary<Forward, bool> open)
        {
            (_inner, _open) = (inner, open);
            _open[this] = true;
        }

        public bool Silent { get; set; }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            while (true)
            {
                var count = await _inner.ReadAsync(buffer, cancellationToken);
                if (!Silent || (count == 0 && !buffer.IsEmpty))
                {
                    return count;
                }

                // A look that takes nothing would see the same again and again.
                buffer = buffer.IsEmpty ? new byte[4096] : buffer;
            }
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => _inner.WriteAsync(buffer, cancellationToken);

        protected override void Dispose(bool disposing)
        {
            _open.TryRemove(this, out _);
            if (disposing)
            {
                _inner.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
