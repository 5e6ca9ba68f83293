using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.ApiServer.Storage;
using Fairlead.Sandbox.Objects;

namespace Fairlead.Tests.Sandbox.Objects;

public sealed class ObjectCacheTests
{
    [Fact]
    public async Task Changes_come_in_order_with_what_was_known_before()
    {
        var store = new ObjectStore();
        store.Create(Kinds.ConfigMaps, Map("a", "1"));
        var seen = Channel.CreateUnbounded<string>();
        var cache = new ObjectCache(store, Kinds.ConfigMaps, (type, value, before) =>
            seen.Writer.TryWrite($"{type} {value["data"]!["k"]} {before?["data"]!["k"]}"));
        using var stop = new CancellationTokenSource();
        var running = cache.RunAsync(stop.Token);
        await cache.Synced;

        store.Modify(Kinds.ConfigMaps, "shop", "a", found =>
        {
            found["data"]!["k"] = "2";
            return true;
        });
        store.Delete(Kinds.ConfigMaps, "shop", "a");

        foreach (var expected in (string[])["Added 1 ", "Modified 2 1", "Deleted 2 2"])
        {
            (await seen.Reader.ReadAsync(TestContext.Current.CancellationToken)).ShouldBe(expected);
        }

        cache.Items.ShouldBeEmpty();
        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(running);
    }

    [Fact]
    public async Task Object_that_vanished_while_the_watch_was_too_old_is_reported_as_deleted()
    {
        var store = new ForgetfulStore([Map("a", "1"), Map("b", "1")], [Map("b", "2")]);
        var seen = Channel.CreateUnbounded<string>();
        var cache = new ObjectCache(store, Kinds.ConfigMaps, (type, value, _) => seen.Writer.TryWrite($"{type} {value["metadata"]!["name"]}"));
        using var stop = new CancellationTokenSource();
        var running = cache.RunAsync(stop.Token);

        foreach (var expected in (string[])["Added a", "Added b", "Deleted a", "Modified b"])
        {
            (await seen.Reader.ReadAsync(TestContext.Current.CancellationToken)).ShouldBe(expected);
        }

        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(running);
    }

    private static JsonObject Map(string name, string value) =>
        Manifest.Of($$$"""{"metadata":{"name":"{{{name}}}","namespace":"shop"},"data":{"k":"{{{value}}}"}}""");

    /// <summary>Lists one thing after the other; the first watch is too old.</summary>
    private sealed class ForgetfulStore(params JsonObject[][] lists) : IObjectStore
    {
        private int listed;

        public (IReadOnlyList<JsonObject> Items, long ResourceVersion) List(ResourceId resource, string? @namespace = null) => (lists[listed++], listed);

        public async IAsyncEnumerable<WatchEvent> Watch(
            ResourceId resource, long sinceResourceVersion, string? @namespace = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            if (sinceResourceVersion == 1)
            {
                throw new StatusException(410, "Expired", "too old");
            }

            await Task.Delay(Timeout.Infinite, cancellationToken);
            yield break;
        }

        public JsonObject? Get(ResourceId resource, string? @namespace, string name) => throw new NotSupportedException();

        public JsonObject Create(ResourceId resource, JsonObject value) => throw new NotSupportedException();

        public JsonObject Update(ResourceId resource, JsonObject value) => throw new NotSupportedException();

        public JsonObject Modify(ResourceId resource, string? @namespace, string name, Func<JsonObject, bool> change) => throw new NotSupportedException();

        public JsonObject Delete(ResourceId resource, string? @namespace, string name, bool force = false, int? gracePeriodSeconds = null) => throw new NotSupportedException();
    }
}
