using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Catalog;
using Fairlead.Gateway.Cluster;
using Fairlead.Gateway.Policy;

namespace Fairlead.Tests.Gateway.Catalog;

public sealed class CatalogWatchTests
{
    private readonly World world = new();
    private readonly ManualTime time = new();
    private readonly CatalogFeed feed;
    private Rights rights = World.Grant("shop");
    private readonly ClientSettings settings = new();
    private bool draining;

    public CatalogWatchTests()
    {
        feed = new CatalogFeed(world.State, capacity: 8);
        world.State.ServiceChanged = feed.Update;
        settings.Changed = feed.Wake;
        world.Service("shop/a", "10.96.1.1", 80);
        world.Service("shop/b", "10.96.1.2", 80);
        world.Service("other/c", "10.96.1.3", 80);
    }

    [Fact]
    public async Task Watch_without_position_tells_everything_granted_and_nothing_else()
    {
        var events = await NextAsync(Open(null));
        events[0].Type.ShouldBe(CatalogEventType.Reset);
        events[^1].Type.ShouldBe(CatalogEventType.Synced);
        Puts(events).ShouldBe(["shop/a", "shop/b"]);
    }

    [Fact]
    public async Task Watch_change_is_told_when_it_happens()
    {
        var watch = Open(null);
        await NextAsync(watch);
        var next = NextAsync(watch);
        world.Service("shop/d", "10.96.1.4", 80);
        (await next).ShouldHaveSingleItem().Service!.Name.ShouldBe("d");
        world.Service("other/e", "10.96.1.5", 80);
        world.State.RemoveService(World.Key("shop/a"));
        var gone = (await NextAsync(watch)).ShouldHaveSingleItem();
        (gone.Type, gone.Service!.Name).ShouldBe((CatalogEventType.Delete, "a"));
    }

    [Fact]
    public async Task Watch_resumed_brings_only_what_came_after()
    {
        var synced = (await NextAsync(Open(null)))[^1];
        world.Service("shop/d", "10.96.1.4", 80);
        world.Service("shop/e", "10.96.1.5", 80);
        var events = await NextAsync(Open(synced.Position));
        events.Select(e => e.Type).ShouldBe([CatalogEventType.Put, CatalogEventType.Put, CatalogEventType.Synced]);
        (await NextAsync(Open(events[0].Position))).Select(e => e.Service?.Name).ShouldBe(["e", null]);
    }

    [Fact]
    public async Task Watch_cut_in_the_middle_of_a_reset_begins_anew()
    {
        var put = (await NextAsync(Open(null)))[1];
        (await NextAsync(Open(put.Position)))[0].Type.ShouldBe(CatalogEventType.Reset);
    }

    [Theory]
    [InlineData("garbage")]
    [InlineData("other-0000-3")]
    [InlineData("gw-0-99999999999999999999")]
    [InlineData("--")]
    public async Task Watch_position_of_somebody_else_begins_anew(string since) => (await NextAsync(Open(since)))[0].Type.ShouldBe(CatalogEventType.Reset);

    [Fact]
    public async Task Watch_position_from_the_future_begins_anew() =>
        (await NextAsync(Open($"gw-{rights.Fingerprint}-9999")))[0].Type.ShouldBe(CatalogEventType.Reset);

    [Fact]
    public async Task Watch_position_under_other_rights_begins_anew()
    {
        var synced = (await NextAsync(Open(null)))[^1];
        rights = World.Grant("other");
        var events = await NextAsync(Open(synced.Position));
        events[0].Type.ShouldBe(CatalogEventType.Reset);
        Puts(events).ShouldBe(["other/c"]);
    }

    [Fact]
    public async Task Watch_that_falls_behind_gets_a_reset_instead_of_gaps()
    {
        var watch = Open(null);
        var synced = (await NextAsync(watch))[^1];
        for (var i = 0; i < 20; i++)
        {
            world.Service($"shop/x{i}", $"10.96.2.{i}", 80);
        }

        var events = await NextAsync(watch);
        events[0].Type.ShouldBe(CatalogEventType.Reset);
        Puts(events).Count.ShouldBe(22);
        (await NextAsync(Open(synced.Position)))[0].Type.ShouldBe(CatalogEventType.Reset);
    }

    [Fact]
    public async Task Watch_follows_changed_rights_with_the_difference()
    {
        var watch = Open(null);
        await NextAsync(watch);
        rights = World.Grant(new GrantRule(["shop"], ["b"]), new GrantRule(["other"]));
        feed.Wake();
        var events = await NextAsync(watch);
        events.Select(e => $"{e.Type} {e.Service?.Name}".Trim()).Order().ShouldBe(["Delete a", "Heartbeat", "Put c"]);
        (await NextAsync(Open(events[^1].Position))).ShouldHaveSingleItem().Type.ShouldBe(CatalogEventType.Synced);
    }

    [Fact]
    public async Task Watch_changed_rights_are_told_once_to_whoever_shows_them_though_they_change_no_name()
    {
        var reach = new GatewayReach([], []);
        var watch = new CatalogWatch(feed, "gw", () => rights, () => settings.Current, () => draining, time, () => reach).EventsAsync(null, CancellationToken.None).GetAsyncEnumerator();
        await NextAsync(watch);
        rights = World.Grant(new GrantRule(["shop"]), new GrantRule(["shop"], Verbs: ["attach"]));
        var next = NextAsync(watch);
        feed.Wake();
        (await next).Select(e => e.Type).ShouldBe([CatalogEventType.Heartbeat, CatalogEventType.Gateway]);
        feed.Wake();
        (await NextAfterSilenceAsync(watch)).ShouldHaveSingleItem().Type.ShouldBe(CatalogEventType.Heartbeat);
    }

    [Fact]
    public async Task Watch_change_that_changes_no_record_is_not_told()
    {
        var watch = Open(null);
        await NextAsync(watch);
        world.Slice("shop/a", "a-x", 80, ("10.244.0.5", null));
        var next = NextAsync(watch);
        world.Service("shop/d", "10.96.1.4", 80);
        (await next).ShouldHaveSingleItem().Service!.Name.ShouldBe("d");
    }

    [Fact]
    public async Task Watch_silence_brings_a_heartbeat()
    {
        var watch = Open(null);
        await NextAsync(watch);
        (await NextAfterSilenceAsync(watch)).ShouldHaveSingleItem().Type.ShouldBe(CatalogEventType.Heartbeat);
    }

    [Fact]
    public async Task Watch_draining_is_told_once()
    {
        var watch = Open(null);
        await NextAsync(watch);
        var next = NextAsync(watch);
        draining = true;
        feed.Wake();
        (await next).ShouldHaveSingleItem().Type.ShouldBe(CatalogEventType.Draining);
        feed.Wake();
        (await NextAfterSilenceAsync(watch)).ShouldHaveSingleItem().Type.ShouldBe(CatalogEventType.Heartbeat);
    }

    [Fact]
    public async Task Watch_default_kubernetes_is_hidden_unless_it_is_named()
    {
        feed.Update(ClusterState.ApiServerService);
        rights = World.Grant("*");
        Puts(await NextAsync(Open(null))).ShouldBe(["other/c", "shop/a", "shop/b"]);
        rights = World.Grant("default", "kubernetes");
        Puts(await NextAsync(Open(null))).ShouldBe(["default/kubernetes"]);
    }

    [Fact]
    public async Task Watch_tells_settings_at_once_and_when_they_change()
    {
        settings.Replace(new Dictionary<string, string> { ["also-proxy-subnets"] = "10.9.0.0/16" });
        var watch = Open(null);
        (await NextAsync(watch))[^1].Settings!.ShouldBe(new Dictionary<string, string> { ["also-proxy-subnets"] = "10.9.0.0/16" });
        var next = NextAsync(watch);
        settings.Replace(new Dictionary<string, string> { ["also-proxy-subnets"] = "10.9.0.0/16", ["empty"] = "" });
        settings.Replace(new Dictionary<string, string>());
        var change = (await next).ShouldHaveSingleItem();
        change.Type.ShouldBe(CatalogEventType.Heartbeat);
        change.Settings.ShouldNotBeNull().ShouldBeEmpty();

        // Resumed where it was, it hears of them again: they have no position.
        (await NextAsync(Open(change.Position))).ShouldHaveSingleItem().Settings.ShouldNotBeNull();
    }

    [Fact]
    public async Task Watch_addresses_are_told_to_who_asks_and_to_nobody_else()
    {
        world.Service("shop/pg", null, 5432, kind: ServiceKind.Headless);
        world.Slice("shop/pg", "pg-x", 5432, ("10.244.0.7", "shop/pg-0"));
        world.Service("shop/mail", null, 25, kind: ServiceKind.ExternalName, external: "mail.example.com");
        var asking = Open(null, addresses: true);
        var silent = Open(null);
        var told = (await NextAsync(asking)).Where(e => e.Service is not null).ToDictionary(e => e.Service!.Name, e => e.Service!);
        told["a"].Addresses.ShouldBe(["10.96.1.1"]);
        told["pg"].Addresses.ShouldBe(["10.244.0.7"]);
        told["pg"].EndpointAddresses!["pg-0"].ShouldBe(["10.244.0.7"]);
        told["mail"].ExternalName.ShouldBe("mail.example.com");
        foreach (var record in (await NextAsync(silent)).Select(e => e.Service).OfType<ServiceRecord>())
        {
            record.ShouldBe(record.WithoutAddresses());
        }

        // Another address of the same endpoint: news for one of them.
        var (heard, unheard) = (NextAsync(asking), NextAsync(silent));
        world.Slice("shop/pg", "pg-x", 5432, ("10.244.0.9", "shop/pg-0"));
        (await heard).ShouldHaveSingleItem().Service!.Addresses.ShouldBe(["10.244.0.9"]);
        world.Service("shop/d", "10.96.1.4", 80);
        (await unheard).ShouldHaveSingleItem().Service!.Name.ShouldBe("d");
    }

    [Fact]
    public async Task Watch_position_without_addresses_begins_anew_with_them()
    {
        var synced = (await NextAsync(Open(null)))[^1];
        (await NextAsync(Open(synced.Position, addresses: true)))[0].Type.ShouldBe(CatalogEventType.Reset);
    }

    [Fact]
    public async Task Watch_headless_service_carries_its_endpoints_names()
    {
        world.Service("shop/pg", null, 5432, kind: ServiceKind.Headless);
        world.Slice("shop/pg", "pg-x", 5432, ("10.244.0.7", "shop/pg-0"), ("10.244.0.8", "shop/pg-1"));
        var record = (await NextAsync(Open(null))).Single(e => e.Service?.Name == "pg").Service!;
        record.Kind.ShouldBe(ServiceKind.Headless);
        record.Endpoints.ShouldBe(["pg-0", "pg-1"]);
    }

    private IAsyncEnumerator<IReadOnlyList<CatalogEvent>> Open(string? since, bool addresses = false) =>
        new CatalogWatch(feed, "gw", () => rights, () => settings.Current, () => draining, time, addresses: addresses).EventsAsync(since, CancellationToken.None).GetAsyncEnumerator();

    private static async Task<IReadOnlyList<CatalogEvent>> NextAsync(IAsyncEnumerator<IReadOnlyList<CatalogEvent>> watch)
    {
        (await watch.MoveNextAsync().AsTask().WaitAsync(Limit)).ShouldBeTrue();
        return watch.Current;
    }

    /// <summary>The watch may set its timer at any moment, so time passes until it has rung.</summary>
    private async Task<IReadOnlyList<CatalogEvent>> NextAfterSilenceAsync(IAsyncEnumerator<IReadOnlyList<CatalogEvent>> watch)
    {
        var next = NextAsync(watch);
        while (!next.IsCompleted)
        {
            time.Advance(CatalogWatch.Heartbeat);
            await Task.WhenAny(next, Task.Delay(TimeSpan.FromMilliseconds(5)));
        }

        return await next;
    }

    private static List<string> Puts(IReadOnlyList<CatalogEvent> events) =>
        [.. events.Where(e => e.Type == CatalogEventType.Put).Select(e => $"{e.Service!.Namespace}/{e.Service.Name}").Order()];
}
