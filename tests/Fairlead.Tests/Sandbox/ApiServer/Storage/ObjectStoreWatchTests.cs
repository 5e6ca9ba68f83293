using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.ApiServer.Storage;
using FsCheck;
using FsCheck.Fluent;

namespace Fairlead.Tests.Sandbox.ApiServer.Storage;

public sealed class ObjectStoreWatchTests
{
    private static CancellationToken Deadline => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Watch_reports_each_change_with_what_was_before()
    {
        var store = new ObjectStore();
        var start = store.List(Objects.ConfigMaps).ResourceVersion;
        store.Create(Objects.ConfigMaps, Objects.ConfigMap("a"));
        store.Update(Objects.ConfigMaps, Objects.ConfigMap("a", "2"));
        store.Delete(Objects.ConfigMaps, "default", "a");

        var events = await TakeAsync(store, start, 3);

        events.Select(change => change.Type).ShouldBe([WatchEventType.Added, WatchEventType.Modified, WatchEventType.Deleted]);
        events.Select(change => change.Previous.Text("data", "value")).ShouldBe([null, "1", "2"]);
        events.Select(change => change.Object.ResourceVersion()).ShouldBe(events.Select(change => change.ResourceVersion));
    }

    [Fact]
    public async Task Watch_of_a_namespace_hears_no_other()
    {
        var store = new ObjectStore();
        store.Create(Objects.ConfigMaps, Objects.ConfigMap("a", @namespace: "x"));
        store.Create(Objects.ConfigMaps, Objects.ConfigMap("b", @namespace: "y"));
        store.Create(Objects.Pods, Objects.Pod("p"));

        var events = await TakeAsync(store, 1, 1, "y");

        events[0].Object.Name().ShouldBe("b");
    }

    [Fact]
    public async Task Watch_from_before_the_history_is_expired()
    {
        var store = new ObjectStore(historyLength: 4);
        for (var i = 0; i < 10; i++)
        {
            store.Create(Objects.ConfigMaps, Objects.ConfigMap($"a{i}"));
        }

        var failure = await Should.ThrowAsync<StatusException>(() => TakeAsync(store, 1, 1));

        (failure.Code, failure.Reason).ShouldBe((410, "Expired"));
        var last = store.List(Objects.ConfigMaps).ResourceVersion;
        (await TakeAsync(store, last - 4, 4)).Count.ShouldBe(4);
    }

    [Fact]
    public async Task Watch_from_a_version_of_the_future_is_expired()
    {
        var failure = await Should.ThrowAsync<StatusException>(() => TakeAsync(new ObjectStore(), 1_000_000, 1));

        failure.Code.ShouldBe(410);
    }

    [Fact]
    public async Task Watch_ends_when_cancelled()
    {
        var store = new ObjectStore();
        using var end = new CancellationTokenSource();
        var watching = TakeAsync(store, 1, 1, cancellationToken: end.Token);

        await end.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => watching);
    }

    /// <summary>Writers at once, watchers that begin wherever: each hears every change after its beginning once and in order.</summary>
    [Fact]
    public void Watch_under_concurrent_writers_loses_and_doubles_nothing() =>
        Prop.ForAll(
            ArbMap.Default.ArbFor<PositiveInt>().Generator.Select(seed => seed.Get).ToArbitrary(),
            seed => WatchesAgreeAsync(seed).GetAwaiter().GetResult())
            .Check(Config.QuickThrowOnFailure.WithMaxTest(15));

    private static async Task<bool> WatchesAgreeAsync(int seed)
    {
        var store = new ObjectStore();
        var start = store.List(Objects.ConfigMaps).ResourceVersion;
        var early = FollowAsync(store, start);
        var writers = Enumerable.Range(0, 4).Select(writer => Task.Run(() => Write(store, new Random(seed + writer), writer), Deadline));
        var (items, from) = store.List(Objects.ConfigMaps);
        var late = FollowAsync(store, from);
        await Task.WhenAll(writers);
        store.Create(Objects.ConfigMaps, Objects.ConfigMap("end"));

        var whole = await early;
        var rest = await late;
        whole.Select(change => change.ResourceVersion).ShouldBeInOrder(SortDirection.Ascending);
        whole.Select(change => change.ResourceVersion).ShouldBeUnique();
        rest.Select(change => change.ResourceVersion).ShouldBe(whole.Select(change => change.ResourceVersion).Where(version => version > from));
        var final = store.List(Objects.ConfigMaps).Items.Select(Describe).ToArray();
        Replay([], whole).ShouldBe(final);
        Replay(items, rest).ShouldBe(final);
        return true;
    }

    private static void Write(ObjectStore store, Random random, int writer)
    {
        for (var i = 0; i < 60; i++)
        {
            // Names overlap between writers, so that they meet.
            var name = $"m{random.Next(6)}";
            try
            {
                switch (random.Next(3))
                {
                    case 0:
                        store.Create(Objects.ConfigMaps, Objects.ConfigMap(name, $"{writer}-{i}"));
                        break;
                    case 1:
                        store.Update(Objects.ConfigMaps, Objects.ConfigMap(name, $"{writer}-{i}"));
                        break;
                    default:
                        store.Delete(Objects.ConfigMaps, "default", name);
                        break;
                }
            }
            catch (StatusException failure) when (failure.Code is 404 or 409)
            {
                // Another writer was first.
            }
        }
    }

    private static async Task<List<WatchEvent>> FollowAsync(ObjectStore store, long since)
    {
        var events = new List<WatchEvent>();
        await foreach (var change in store.Watch(Objects.ConfigMaps, since, cancellationToken: Deadline))
        {
            events.Add(change);
            if (change.Object.Name() == "end")
            {
                break;
            }
        }

        return events;
    }

    private static IEnumerable<string> Replay(IEnumerable<JsonObject> initial, IEnumerable<WatchEvent> changes)
    {
        var state = new SortedDictionary<string, JsonObject>(initial.ToDictionary(item => item.Name()), StringComparer.Ordinal);
        foreach (var change in changes)
        {
            var isKnown = state.ContainsKey(change.Object.Name());
            isKnown.ShouldBe(change.Type != WatchEventType.Added);
            if (change.Type == WatchEventType.Deleted)
            {
                state.Remove(change.Object.Name());
            }
            else
            {
                state[change.Object.Name()] = change.Object;
            }
        }

        return state.Values.Select(Describe);
    }

    private static string Describe(JsonObject value) => $"{value.Name()}={value.Text("data", "value")}@{value.ResourceVersion()}";

    private static async Task<List<WatchEvent>> TakeAsync(
        ObjectStore store, long since, int count, string? @namespace = null, CancellationToken? cancellationToken = null)
    {
        var events = new List<WatchEvent>();
        await foreach (var change in store.Watch(Objects.ConfigMaps, since, @namespace, cancellationToken ?? Deadline))
        {
            events.Add(change);
            if (events.Count == count)
            {
                break;
            }
        }

        return events;
    }
}
