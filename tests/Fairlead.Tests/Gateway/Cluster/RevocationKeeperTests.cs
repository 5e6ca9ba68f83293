using Fairlead.Gateway.Cluster;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Gateway.Cluster;

public sealed class RevocationKeeperTests : IAsyncLifetime
{
    private const string Map = "/api/v1/namespaces/fairlead/configmaps/fairlead-revocations";

    private readonly CancellationTokenSource stopping = new();
    private FakeCluster cluster = null!;
    private RevocationKeeper keeper = null!;
    private Task running = Task.CompletedTask;

    public async ValueTask InitializeAsync()
    {
        cluster = await FakeCluster.StartAsync();
        keeper = new RevocationKeeper(cluster.Client, NullLogger.Instance);
        running = keeper.RunAsync(stopping.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(running);
        await cluster.DisposeAsync();
        stopping.Dispose();
    }

    [Fact]
    public async Task Map_that_was_deleted_is_put_back()
    {
        keeper.Restore(new Dictionary<string, string> { ["invite.alice"] = "2026-01-01T00:00:00Z" });

        await UntilAsync(() => Entries().SequenceEqual(["invite.alice"]));
    }

    [Fact]
    public async Task Map_that_somebody_made_anew_gets_what_it_lacks_and_keeps_what_it_says()
    {
        cluster.Put(Map, """{"data":{"invite.bob":"new","invite.carol":"c"}}""");

        keeper.Restore(new Dictionary<string, string> { ["invite.alice"] = "a", ["invite.bob"] = "old" });

        await UntilAsync(() => Entries().SequenceEqual(["invite.alice", "invite.bob", "invite.carol"]));
        cluster.Get(Map)!["data"]!["invite.bob"]!.GetValue<string>().ShouldBe("new");
    }

    [Fact]
    public async Task What_was_lost_stays_in_force_until_it_is_back()
    {
        var written = new TaskCompletionSource();
        cluster.BeforeWrite = (_, _) => written.Task;
        keeper.Restore(new Dictionary<string, string> { ["invite.alice"] = "a" });

        keeper.Complete(new Dictionary<string, string> { ["invite.bob"] = "b" }).Keys.Order().ShouldBe(["invite.alice", "invite.bob"]);

        written.SetResult();
        await UntilAsync(() => keeper.Complete(new Dictionary<string, string>()).Count == 0);
    }

    [Fact]
    public async Task Ensure_makes_the_map_of_a_new_space_and_leaves_one_that_is_there()
    {
        await keeper.EnsureAsync(default);
        Entries().ShouldBeEmpty();
        cluster.Get(Map).ShouldNotBeNull();

        cluster.Put(Map, """{"data":{"invite.bob":"b"}}""");
        await keeper.EnsureAsync(default);
        Entries().ShouldBe(["invite.bob"]);
    }

    [Theory]
    [InlineData(false, 0)]
    [InlineData(true, 1)]
    public async Task Ensure_warns_where_there_must_have_been_a_map(bool spaceIsOld, int warnings)
    {
        var log = new CountingLog();
        if (spaceIsOld)
        {
            cluster.Put("/api/v1/namespaces/fairlead/configmaps/fairlead-space", "{}");
        }

        await new RevocationKeeper(cluster.Client, log).EnsureAsync(default);

        log.Warnings.ShouldBe(warnings);
    }

    private IEnumerable<string> Entries() => (cluster.Get(Map)?["data"] as System.Text.Json.Nodes.JsonObject ?? []).Select(entry => entry.Key).Order();

    private sealed class CountingLog : ILogger
    {
        public int Warnings { get; private set; }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Warnings += logLevel == LogLevel.Warning ? 1 : 0;
    }
}
