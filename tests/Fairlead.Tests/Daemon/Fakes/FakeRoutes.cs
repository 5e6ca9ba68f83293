using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Fairlead.Platform;
using Fairlead.Platform.Routes;

namespace Fairlead.Tests.Daemon.Fakes;

/// <summary>A host's routing in memory. What was applied through one opening is gone with it, as on a real host.</summary>
internal sealed class FakeRoutes
{
    private readonly List<Channel<HostNetworkChange>> watchers = [];
    private readonly Lock gate = new();
    private volatile HostNetwork network = HostNetwork.Empty;

    public HostNetwork Network
    {
        set => network = value;
    }

    public RouteSet Applied { get; private set; } = RouteSet.Empty;

    /// <summary>Thrown by each apply of anything while it is set.</summary>
    public HostException? Failure { get; set; }

    public void Change(HostNetwork next, string cause)
    {
        network = next;
        lock (gate)
        {
            watchers.ForEach(watcher => watcher.Writer.TryWrite(new HostNetworkChange(cause)));
        }
    }

    public IHostRoutes Open() => new Opened(this);

    private sealed class Opened(FakeRoutes routes) : IHostRoutes
    {
        private bool applied;

        public Task<HostNetwork> ReadAsync(CancellationToken cancellationToken) => Task.FromResult(routes.network);

        public async IAsyncEnumerable<HostNetworkChange> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
        {
            var channel = Channel.CreateUnbounded<HostNetworkChange>();
            lock (routes.gate)
            {
                routes.watchers.Add(channel);
            }

            await foreach (var change in channel.Reader.ReadAllAsync(cancellationToken))
            {
                yield return change;
            }
        }

        public Task<IReadOnlyList<string>> ApplyAsync(RouteSet next, CancellationToken cancellationToken)
        {
            if (routes.Failure is { } failure && next.Prefixes.Count > 0)
            {
                throw failure;
            }

            applied = true;
            routes.Applied = next;
            return Task.FromResult<IReadOnlyList<string>>([]);
        }

        public ValueTask DisposeAsync()
        {
            routes.Applied = applied ? RouteSet.Empty : routes.Applied;
            return ValueTask.CompletedTask;
        }
    }
}
