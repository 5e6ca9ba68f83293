using System.Net;
using System.Text;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Direct;
using Fairlead.Tunnel.Exit;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Tunnel.Exit;

public sealed class ExitTests : IAsyncDisposable
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    private readonly TestSpace space = new();
    private readonly CancellationTokenSource agentStop = new();
    private readonly TaskCompletionSource<ExitConnection> arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource lost = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private DirectCarrierServer? gateway;

    [Fact]
    public async Task Exit_flow_that_the_gateway_opens_is_the_agent_s_to_serve()
    {
        var agent = StartAgent(StartGateway(takesAgents: true), Echo);
        var exit = await arrived.Task.WaitAsync(Soon);
        var (flow, _) = await exit.OpenAsync(new FlowTarget(TransportProtocol.Tcp, "127.0.0.1", 7), CancellationToken.None);
        await using (flow!)
        {
            await flow!.WriteAsync("hello"u8.ToArray());
            await flow.CompleteWritesAsync();
            var buffer = new byte[16];
            Encoding.ASCII.GetString(buffer, 0, await flow.ReadAsync(buffer)).ShouldBe("hello");
            (await flow.ReadAsync(buffer)).ShouldBe(0);
        }

        var (datagrams, _) = await exit.OpenDatagramsAsync(new FlowTarget(TransportProtocol.Udp, "fd00::1", 7), CancellationToken.None);
        await using (datagrams!)
        {
            await datagrams!.SendAsync("ping"u8.ToArray());
            await datagrams.FlushAsync();
            var buffer = new byte[16];
            Encoding.ASCII.GetString(buffer, 0, await datagrams.ReceiveAsync(buffer)).ShouldBe("ping");
        }

        await agentStop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => agent.WaitAsync(Soon));
        await lost.Task.WaitAsync(Soon);
    }

    [Fact]
    public async Task Exit_refusal_of_the_agent_is_the_gateway_s()
    {
        _ = StartAgent(StartGateway(takesAgents: true), new Handler(async (flow, token) => await flow.RefuseAsync(new FlowRefusal(FlowFailure.ConnectionRefused, "nobody listens"), token)));
        var exit = await arrived.Task.WaitAsync(Soon);
        var (flow, refusal) = await exit.OpenAsync(new FlowTarget(TransportProtocol.Tcp, "127.0.0.1", 7), CancellationToken.None);
        flow.ShouldBeNull();
        refusal.ShouldBe(new FlowRefusal(FlowFailure.ConnectionRefused, "nobody listens"));
    }

    [Fact]
    public async Task Exit_datagrams_end_with_the_reason_that_the_far_side_gave()
    {
        _ = StartAgent(StartGateway(takesAgents: true), new Handler(async (flow, token) =>
        {
            await using var opened = await flow.AcceptDatagramsAsync(token);
            await opened.AbortAsync(new FlowRefusal(FlowFailure.ConnectionRefused, "port unreachable"), token);
        }));
        var exit = await arrived.Task.WaitAsync(Soon);
        var (datagrams, _) = await exit.OpenDatagramsAsync(new FlowTarget(TransportProtocol.Udp, "127.0.0.1", 7), CancellationToken.None);
        await using (datagrams!)
        {
            var ended = await Should.ThrowAsync<FlowAbortedException>(async () => await datagrams!.ReceiveAsync(new byte[16]));
            (ended.Failure, ended.Message).ShouldBe((FlowFailure.ConnectionRefused, "port unreachable"));
        }
    }

    [Fact]
    public async Task Exit_gateway_that_takes_no_agents_says_no() =>
        await Should.ThrowAsync<FairleadException>(() => StartAgent(StartGateway(takesAgents: false), Echo).WaitAsync(Soon));

    public async ValueTask DisposeAsync()
    {
        await agentStop.CancelAsync();
        if (gateway is not null)
        {
            await gateway.DisposeAsync();
        }

        agentStop.Dispose();
        space.Dispose();
    }

    private static IFlowHandler Echo => new Handler(TestGateway.EchoAsync);

    private IPEndPoint StartGateway(bool takesAgents)
    {
        gateway = new DirectCarrierServer(
            new DirectCarrierServerOptions
            {
                EndPoint = new IPEndPoint(IPAddress.Loopback, 0),
                Certificate = () => space.ServerContext,
                Identify = space.Identify,
                ServeExit = !takesAgents ? null : async (_, exit, token) =>
                {
                    arrived.TrySetResult(exit);
                    await exit.WaitUntilLostAsync(TimeProvider.System, token);
                    lost.TrySetResult();
                },
            },
            Echo,
            NullLogger<DirectCarrierServer>.Instance);
        gateway.Start();
        return gateway.EndPoint;
    }

    private Task StartAgent(IPEndPoint at, IFlowHandler handler) =>
        ExitServer.RunAsync(at.Address.ToString(), at.Port, space.Tls, handler, NullLoggerFactory.Instance, agentStop.Token);

    private sealed class Handler(Func<IIncomingFlow, CancellationToken, Task> handle) : IFlowHandler
    {
        public Task HandleAsync(IIncomingFlow flow, CancellationToken cancellationToken) => handle(flow, cancellationToken);
    }
}
