using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Dial;
using Fairlead.Gateway.Exits;
using Fairlead.Gateway.Policy;
using Fairlead.Tests.Tunnel;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Direct;
using Fairlead.Tunnel.Exit;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Gateway.Exits;

/// <summary>Agents are real ones, in this process: each connects once it is told to, and says its pod's name to whoever connects to it.</summary>
public sealed class ExitTableTests : IAsyncLifetime
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);
    private static readonly WorkloadKey Web = new("shop", WorkloadKind.Deployment, "web");
    private static readonly IPEndPoint Inside = new(IPAddress.Loopback, 9100);

    private readonly ManualTime time = new(TimeSpan.FromMilliseconds(200));
    private readonly TestSpace space = new();
    private readonly ExitCluster cluster = new() { Pods = ["web-1", "web-2", "web-3", "web-4", "web-5"] };
    private readonly ConcurrentDictionary<string, (CancellationTokenSource Stop, Task Running)> agents = new();
    private ExitTable table = null!;
    private DirectCarrierServer gateway = null!;

    public async ValueTask InitializeAsync()
    {
        await cluster.StartAsync();
        cluster.Told = (pod, _) => Connect(pod);
        table = new ExitTable(new Workloads(cluster.Client, ["shop"]), cluster.Placer(time), time, NullLogger<ExitTable>.Instance);
        gateway = new DirectCarrierServer(
            new DirectCarrierServerOptions
            {
                EndPoint = new IPEndPoint(IPAddress.Loopback, 0),
                Certificate = () => space.ServerContext,
                Identify = space.Identify,
                ServeExit = (certificate, exit, token) => table.ServeAsync(certificate.Subject.Split("invite:")[1].Split(',')[0], exit, token),
            },
            new Handler((_, _) => Task.CompletedTask),
            NullLogger<DirectCarrierServer>.Instance);
        gateway.Start();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var pod in agents.Keys)
        {
            await EndAsync(pod);
        }

        await table.DisposeAsync();
        await gateway.DisposeAsync();
        await cluster.DisposeAsync();
        space.Dispose();
    }

    [Fact]
    public async Task One_agent_is_placed_for_all_flows_that_wait_and_those_after()
    {
        var waiting = Enumerable.Range(0, 5).Select(_ => AskAsync()).ToList();
        foreach (var flow in waiting)
        {
            (await flow).ShouldBe("web-1");
        }

        (await AskAsync()).ShouldBe("web-1");
        cluster.Placed.Count.ShouldBe(1);
        table.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Pod_that_takes_no_agent_is_passed_over()
    {
        cluster.Refusal = pod => pod == "web-1" ? "no" : null;
        (await AskAsync()).ShouldBe("web-2");
    }

    [Fact]
    public async Task Workload_that_takes_no_agent_is_asked_again_only_after_a_pause()
    {
        cluster.Refusal = _ => "violates PodSecurity";
        var refusal = await RefusalAsync();
        refusal.Failure.ShouldBe(FlowFailure.Unreachable);
        refusal.Message.ShouldContain("violates PodSecurity");
        cluster.Placed.Select(placed => placed.Pod).ShouldBe(["web-1", "web-2", "web-3"]);

        var requests = cluster.Requests;
        (await RefusalAsync()).ShouldBe(refusal);
        cluster.Requests.ShouldBe(requests);

        cluster.Refusal = _ => null;
        time.Advance(TimeSpan.FromSeconds(5));
        (await AskAsync()).ShouldBe("web-1");
    }

    [Fact]
    public async Task Agent_that_is_lost_is_replaced_by_the_next_flow()
    {
        (await AskAsync()).ShouldBe("web-1");
        cluster.Refusal = pod => pod == "web-1" ? "no more" : null;
        await EndAsync("web-1");
        (await AskAsync()).ShouldBe("web-2");
        table.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Flow_that_gives_up_leaves_the_search_to_the_others()
    {
        var told = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        cluster.Told = (_, _) => told.TrySetResult();
        using var patience = new CancellationTokenSource();
        var first = table.DialAsync(Web, TransportProtocol.Tcp, Inside, patience.Token);
        var second = AskAsync();
        await told.Task.WaitAsync(Soon);
        await patience.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => first.WaitAsync(Soon));

        Connect("web-1");
        (await second).ShouldBe("web-1");
        cluster.Placed.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Workload_where_no_agent_may_be_is_denied()
    {
        var (_, refusal) = await table.DialAsync(Web with { Namespace = "kube-system" }, TransportProtocol.Tcp, Inside, CancellationToken.None).WaitAsync(Soon);
        refusal!.Failure.ShouldBe(FlowFailure.Denied);
        cluster.Requests.ShouldBe(0);
    }

    private void Connect(string pod)
    {
        var stop = new CancellationTokenSource();
        var certificate = space.IssueClient(ExitCluster.UidOf(pod));
        var handler = new Handler(async (incoming, token) =>
        {
            await using var flow = await incoming.AcceptAsync(token);
            await flow.WriteAsync(Encoding.ASCII.GetBytes(pod), token);
            await flow.CompleteWritesAsync(token);

            // Both ways have ended before it does.
            (await flow.ReadAsync(new byte[1], token)).ShouldBe(0);
        });
        agents[pod] = (stop, ExitServer.RunAsync(
            gateway.EndPoint.Address.ToString(), gateway.EndPoint.Port, new TunnelTls(TestSpace.Uid, space.Authority, () => certificate), handler, NullLoggerFactory.Instance, stop.Token));
    }

    private async Task EndAsync(string pod)
    {
        if (agents.TryRemove(pod, out var agent))
        {
            await agent.Stop.CancelAsync();
            await Should.ThrowAsync<OperationCanceledException>(() => agent.Running.WaitAsync(Soon));
            agent.Stop.Dispose();
        }
    }

    /// <summary>What the far side of a flow says first.</summary>
    private async Task<string> AskAsync()
    {
        var (answer, refusal) = await TryAskAsync();
        return answer ?? throw new InvalidOperationException(refusal!.Message);
    }

    private async Task<FlowRefusal> RefusalAsync() => (await TryAskAsync()).Refusal.ShouldNotBeNull();

    private async Task<(string? Answer, FlowRefusal? Refusal)> TryAskAsync()
    {
        var (farEnd, refusal) = await table.DialAsync(Web, TransportProtocol.Tcp, Inside, CancellationToken.None).WaitAsync(Soon);
        if (farEnd is null)
        {
            return (null, refusal);
        }

        await using (farEnd)
        {
            var buffer = new byte[64];
            var answer = Encoding.ASCII.GetString(buffer, 0, await farEnd.Flow!.ReadAsync(buffer));
            await farEnd.Flow.CompleteWritesAsync();
            return (answer, null);
        }
    }

    private sealed class Handler(Func<IIncomingFlow, CancellationToken, Task> handle) : IFlowHandler
    {
        public Task HandleAsync(IIncomingFlow flow, CancellationToken cancellationToken) => handle(flow, cancellationToken);
    }
}
