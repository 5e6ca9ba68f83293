using System.Text;
using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Spaces;

namespace Fairlead.Tests.Daemon.Spaces;

public sealed class CatalogTests
{
    private readonly Catalog catalog = new();

    [Fact]
    public void Apply_reset_is_taken_over_only_when_complete()
    {
        catalog.Apply(new(CatalogEventType.Reset, "1")).ShouldBeFalse();
        catalog.Apply(Put("a", "2")).ShouldBeFalse();
        catalog.Snapshot.ShouldBeNull();
        catalog.Position.ShouldBeNull();
        catalog.Apply(new(CatalogEventType.Synced, "3")).ShouldBeTrue();
        catalog.Snapshot!.Select(service => service.Name).ShouldBe(["a"]);
        catalog.Position.ShouldBe("3");
    }

    [Fact]
    public void Apply_reset_that_breaks_off_keeps_what_was_known()
    {
        Fill("a", "b");
        catalog.Apply(new(CatalogEventType.Reset, "9"));
        catalog.Apply(Put("c", "10"));
        catalog.Interrupt();
        catalog.Snapshot!.Count.ShouldBe(2);
        catalog.Position.ShouldBe("s");
    }

    [Fact]
    public void Apply_reset_to_the_same_is_no_change()
    {
        Fill("a", "b");
        catalog.Apply(new(CatalogEventType.Reset, "9"));
        catalog.Apply(Put("b", "10"));
        catalog.Apply(Put("a", "11"));
        catalog.Apply(new(CatalogEventType.Synced, "12")).ShouldBeFalse();
    }

    [Fact]
    public void Apply_changes_after_the_sync_count_at_once()
    {
        Fill("a");
        catalog.Apply(Put("b", "5")).ShouldBeTrue();
        catalog.Apply(Put("b", "6")).ShouldBeFalse();
        catalog.Apply(new(CatalogEventType.Delete, "7", Service("a"))).ShouldBeTrue();
        catalog.Apply(new(CatalogEventType.Delete, "8", Service("a"))).ShouldBeFalse();
        catalog.Snapshot!.Select(service => service.Name).ShouldBe(["b"]);
        catalog.Position.ShouldBe("8");
    }

    [Fact]
    public void Apply_more_services_than_any_cluster_has_is_refused()
    {
        Fill([.. Enumerable.Range(0, Catalog.MaxServices).Select(i => $"s{i}")]);
        Should.Throw<InvalidDataException>(() => catalog.Apply(Put("more", "9")));
    }

    [Fact]
    public void Apply_service_with_more_endpoints_than_any_has_is_refused()
    {
        var service = Service("a") with { Endpoints = [.. Enumerable.Range(0, Catalog.MaxParts).Select(i => $"e{i}")] };
        Should.Throw<InvalidDataException>(() => catalog.Apply(new(CatalogEventType.Put, "1", service)));
    }

    [Fact]
    public void Apply_more_endpoints_in_all_than_any_cluster_has_is_refused()
    {
        var endpoints = Enumerable.Range(0, Catalog.MaxParts - 1).Select(i => $"e{i}").ToArray();
        for (var i = 0; i < Catalog.MaxAllParts / Catalog.MaxParts; i++)
        {
            catalog.Apply(new(CatalogEventType.Put, "1", Service($"s{i}") with { Endpoints = endpoints }));
        }

        Should.Throw<InvalidDataException>(() => catalog.Apply(new(CatalogEventType.Put, "1", Service("more") with { Endpoints = endpoints })));
        catalog.Apply(new(CatalogEventType.Reset, "2"));
        catalog.Apply(new(CatalogEventType.Put, "3", Service("more") with { Endpoints = endpoints })).ShouldBeFalse();
    }

    [Fact]
    public async Task Read_lines_are_events()
    {
        var text = "{\"type\":\"Reset\",\"position\":\"1\"}\n{\"type\":\"Heartbeat\",\"position\":\"1\",\"unknown\":3}\n";
        (await ReadAsync(text)).Select(change => change.Type).ShouldBe([CatalogEventType.Reset, CatalogEventType.Heartbeat]);
    }

    [Theory]
    [InlineData("garbage\n")]
    [InlineData("\n")]
    [InlineData("null\n")]
    [InlineData("{\"type\":\"Nonsense\",\"position\":\"1\"}\n")]
    [InlineData("{\"type\":\"Put\"}\n")]
    public async Task Read_garbage_is_refused(string text) => await Should.ThrowAsync<InvalidDataException>(() => ReadAsync(text));

    [Fact]
    public async Task Read_endless_line_is_refused() => await Should.ThrowAsync<InvalidDataException>(() => ReadAsync(new string('x', CatalogReader.MaxLine + 10)));

    [Fact]
    public async Task Read_cut_line_is_left_out() => (await ReadAsync("{\"type\":\"Reset\",\"position\":\"1\"}\n{\"type\":")).Count.ShouldBe(1);

    [Fact]
    public async Task Read_silence_ends_it()
    {
        var time = new ManualTime();
        var reading = CatalogReader.ReadAsync(new System.IO.Pipelines.Pipe().Reader.AsStream(), time, CancellationToken.None).GetAsyncEnumerator().MoveNextAsync();
        time.Advance(CatalogReader.MaxSilence);
        await Should.ThrowAsync<TimeoutException>(async () => await reading);
    }

    private static async Task<List<CatalogEvent>> ReadAsync(string text)
    {
        var events = new List<CatalogEvent>();
        await foreach (var change in CatalogReader.ReadAsync(new MemoryStream(Encoding.UTF8.GetBytes(text)), TimeProvider.System, CancellationToken.None))
        {
            events.Add(change);
        }

        return events;
    }

    private static ServiceRecord Service(string name) => new("shop", name, ServiceKind.ClusterIP, [new("", 80, TransportProtocol.Tcp)], []);

    private static CatalogEvent Put(string name, string position) => new(CatalogEventType.Put, position, Service(name));

    private void Fill(params string[] names)
    {
        catalog.Apply(new(CatalogEventType.Reset, "r"));
        foreach (var name in names)
        {
            catalog.Apply(Put(name, "p"));
        }

        catalog.Apply(new(CatalogEventType.Synced, "s"));
    }
}
