using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Flows;
using Fairlead.Tests.Daemon.Fakes;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Relay;

namespace Fairlead.Tests.Daemon.Flows;

/// <summary>Flows between a capture and a tunnel that are both in memory. Each test ends with none left open.</summary>
public abstract class FlowsTest : IAsyncLifetime
{
    private readonly CancellationTokenSource stopping = new();
    private readonly FlowCounters counters = new();
    private Task running = Task.CompletedTask;

    internal FakeCapture Capture { get; } = new();

    internal ManualTime Time { get; } = new();

    internal StubOpener Opener { get; } = new();

    public ValueTask InitializeAsync()
    {
        running = RunAsync(stopping.Token);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await StopAsync();
        CountOpen().ShouldBe(0);
        stopping.Dispose();
    }

    protected async Task StopAsync()
    {
        await stopping.CancelAsync();
        await running;
    }

    /// <summary>Makes the flows under test and runs them.</summary>
    protected abstract Task RunAsync(CancellationToken cancellationToken);

    protected abstract int CountOpen();

    internal FlowDestination Toward(string host, IPEndPoint destination, TransportProtocol protocol) => new(Opener, new FlowTarget(protocol, host, destination.Port), counters);
}
