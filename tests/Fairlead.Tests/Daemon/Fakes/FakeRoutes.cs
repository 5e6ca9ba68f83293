using System.Threading.Channels;
using Fairlead.Platform;
using Fairlead.Platform.Routes;

namespace Fairlead.Tests.Daemon.Fakes;

/// <summary>A host's routing in memory.</summary>
internal sealed class FakeRoutes : IHostRoutes
{
    private readonly Channel<HostNetworkChange> changes = Channel.CreateUnbounded<HostNetworkChange>();
    private volatile HostNetwork network = HostNetwork.Empty;

    public RouteSet Applied { get; private set; } = RouteSet.Empty;

    public List<RouteSet> History { get; } = [];

    /// <summary>Thrown by the next apply.</summary>
    public HostException? Failure { get; set; }

    public void Change(HostNetwork next, string cause)
    {
        network = next;
        changes.Writer.TryWrite(new HostNetworkChange(cause));
    }

    public Task<HostNetwork> ReadAsync(CancellationToken cancellationToken) => Task.FromResult(network);

    public IAsyncEnumerable<HostNetworkChange> WatchAsync(CancellationToken cancellationToken) => changes.Reader.ReadAllAsync(cancellationToken);

    public Task<IReadOnlyList<string>> ApplyAsync(RouteSet next, CancellationToken cancellationToken)
    {
        if (Failure is { } failure)
        {
            throw failure;
        }

        Applied = next;
        History.Add(next);
        return Task.FromResult<IReadOnlyList<string>>([]);
    }

    public ValueTask DisposeAsync()
    {
        Applied = RouteSet.Empty;
        return ValueTask.CompletedTask;
    }
}
