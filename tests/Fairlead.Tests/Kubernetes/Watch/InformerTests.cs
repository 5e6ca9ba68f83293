using System.Threading.Channels;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Tests.Kubernetes.Watch;

public sealed class InformerTests : IAsyncLifetime
{
    private readonly Queue<Func<HttpContext, Task>> _lists = [], _watches = [];
    private readonly ManualTime _time = new(skip: TimeSpan.FromSeconds(30));
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<InformerEvent<ConfigMap>> _changes = Channel.CreateUnbounded<InformerEvent<ConfigMap>>();
    private readonly List<InformerFailure> _failures = [];
    private MockApi _api = null!;
    private KubernetesClient _client = null!;
    private Informer<ConfigMap> _informer = null!;
    private Task _run = Task.CompletedTask;

    public async ValueTask InitializeAsync()
    {
        _api = await MockApi.StartAsync((context, request) =>
        {
            var script = request.Query.Contains("watch=true", StringComparison.Ordinal) ? _watches : _lists;
            return script.TryDequeue(out var answer) ? answer(context) : StayOpenAsync(context);
        });
        _client = _api.Client(_time);
        _informer = new Informer<ConfigMap>(_client, Resources.ConfigMaps, "shop", "app=x");
        _informer.OnChange += change => _changes.Writer.TryWrite(change);
        _informer.OnFailure += _failures.Add;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run.ContinueWith(_ => { }, TaskScheduler.Default);
        _client.Dispose();
        await _api.DisposeAsync();
        _stop.Dispose();
    }

    [Fact]
    public async Task List_then_watch_from_its_version_with_the_same_selectors()
    {
        _lists.Enqueue(List("5", Map("a", "3"), Map("b", "4")));
        _watches.Enqueue(Watch(Event("MODIFIED", Map("a", "6")), Event("DELETED", Map("b", "7"))));

        Start();
        await _informer.WaitForSyncAsync();

        (await NextAsync()).ShouldBe("Added a 3");
        (await NextAsync()).ShouldBe("Added b 4");
        (await NextAsync()).ShouldBe("Modified a 6");
        (await NextAsync()).ShouldBe("Deleted b 7");
        _informer.Snapshot.Keys.ShouldBe([("shop", "a")]);
        _api.Requests.ShouldAllBe(r => r.Query.Contains("labelSelector=app%3Dx"));
        var watch = _api.Requests.ElementAt(1).Query;
        watch.ShouldContain("resourceVersion=5");
        watch.ShouldContain("allowWatchBookmarks=true");
        watch.ShouldContain("timeoutSeconds=");
    }

    [Fact]
    public async Task Snapshot_that_somebody_holds_does_not_change()
    {
        _lists.Enqueue(List("5", Map("a", "3")));
        var release = new TaskCompletionSource();
        _watches.Enqueue(async context =>
        {
            await release.Task;
            await Watch(Event("DELETED", Map("a", "6")))(context);
        });
        Start();
        await NextAsync();
        var held = _informer.Snapshot;

        release.SetResult();
        await NextAsync();

        held.Count.ShouldBe(1);
        _informer.Snapshot.ShouldBeEmpty();
    }

    [Fact]
    public async Task Bookmark_is_where_the_next_watch_resumes()
    {
        _lists.Enqueue(List("5"));
        _watches.Enqueue(Ended("""{"type":"BOOKMARK","object":{"kind":"ConfigMap","metadata":{"resourceVersion":"42"}}}""" + "\n"));
        _watches.Enqueue(Watch(Event("ADDED", Map("a", "43"))));

        Start();
        await NextAsync();

        _api.Requests.Last().Query.ShouldContain("resourceVersion=42");
        _api.Requests.Count.ShouldBe(3);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Version_too_old_lists_again_and_tells_only_the_difference(bool inStream)
    {
        _lists.Enqueue(List("5", Map("same", "1"), Map("changed", "2"), Map("gone", "3"), Map("remade", "4")));
        _watches.Enqueue(inStream
            ? Ended("{\"type\":\"ERROR\",\"object\":" + MockApi.Status(410, "Expired") + "}\n")
            : context => MockApi.FailAsync(context, 410, "Expired"));
        _lists.Enqueue(List("20", Map("same", "1"), Map("changed", "12"), Map("remade", "14", uid: "other"), Map("new", "15")));

        Start();
        for (var i = 0; i < 4; i++)
        {
            await NextAsync();
        }

        (await NextAsync()).ShouldBe("Deleted gone 3");
        (await NextAsync()).ShouldBe("Modified changed 12");
        (await NextAsync()).ShouldBe("Deleted remade 4");
        (await NextAsync()).ShouldBe("Added remade 14");
        (await NextAsync()).ShouldBe("Added new 15");
        _failures.Single().Error.ShouldBeOfType<KubernetesException>().IsGone.ShouldBeTrue();
    }

    [Fact]
    public async Task Watch_that_silently_died_is_noticed_and_resumed()
    {
        _lists.Enqueue(List("5"));
        var open = new TaskCompletionSource();
        _watches.Enqueue(async context =>
        {
            await context.Response.Body.FlushAsync();
            open.SetResult();
            await StayOpenAsync(context);
        });
        _watches.Enqueue(Watch(Event("ADDED", Map("a", "6"))));
        Start();
        await open.Task;

        _time.Advance(TimeSpan.FromMinutes(11));

        (await NextAsync()).ShouldBe("Added a 6");
        _failures.Single().Error.ShouldBeOfType<KubernetesException>().Reason.ShouldBe(KubernetesException.Timeout);
        _api.Requests.Last().Query.ShouldContain("resourceVersion=5");
    }

    [Fact]
    public async Task Watch_that_ended_in_its_time_is_resumed_at_once()
    {
        _lists.Enqueue(List("5"));
        var end = new TaskCompletionSource();
        _watches.Enqueue(async context =>
        {
            await Ended(Event("ADDED", Map("a", "6")))(context);
            await context.Response.Body.FlushAsync();
            await end.Task;
        });
        _watches.Enqueue(Watch(Event("ADDED", Map("b", "7"))));
        Start();
        await NextAsync();

        _time.Advance(TimeSpan.FromMinutes(5));
        end.SetResult();

        (await NextAsync()).ShouldBe("Added b 7");
        _time.Skipped.ShouldBeEmpty();
        _failures.ShouldBeEmpty();
    }

    [Fact]
    public async Task Server_that_ends_every_watch_at_once_is_asked_ever_more_rarely()
    {
        _lists.Enqueue(List("5"));
        for (var i = 0; i < 6; i++)
        {
            _watches.Enqueue(Ended(""));
        }

        _watches.Enqueue(Watch(Event("ADDED", Map("a", "6"))));

        Start();
        await NextAsync();

        _time.Skipped.Count.ShouldBe(6);
        _time.Skipped[5].ShouldBeGreaterThan(TimeSpan.FromSeconds(3));
    }

    [Fact]
    public async Task Garbage_costs_a_new_list_and_no_event()
    {
        _lists.Enqueue(List("5", Map("a", "3")));
        _watches.Enqueue(Ended(Event("ADDED", Map("b", "6")) + "{\"type\":\"ADDED\",\"object\":{\"metadata\":{}}}\n"));
        _lists.Enqueue(List("9", Map("a", "3"), Map("b", "6"), Map("c", "8")));

        Start();

        (await NextAsync()).ShouldBe("Added a 3");
        (await NextAsync()).ShouldBe("Added b 6");
        (await NextAsync()).ShouldBe("Added c 8");
        _failures.Single().Error.ShouldBeOfType<KubernetesException>().Reason.ShouldBe(KubernetesException.Malformed);
    }

    [Fact]
    public async Task First_list_that_fails_is_repeated_and_reported_until_it_works()
    {
        for (var i = 0; i < 3; i++)
        {
            _lists.Enqueue(context => MockApi.FailAsync(context, 403, "Forbidden"));
        }

        _lists.Enqueue(List("5", Map("a", "3")));

        Start();
        await _informer.WaitForSyncAsync();

        _informer.IsSynced.ShouldBeTrue();
        _failures.Count.ShouldBe(3);
        _failures.Zip(_time.Skipped).ShouldAllBe(p => p.First.RetryIn - p.Second < TimeSpan.FromMilliseconds(1));
    }

    [Fact]
    public async Task Handler_that_throws_ends_the_run_with_it()
    {
        _lists.Enqueue(List("5", Map("a", "3")));
        _informer.OnChange += _ => throw new KubernetesException(410, "Expired", "from the handler");

        Start();

        (await Should.ThrowAsync<KubernetesException>(() => _run)).Message.ShouldBe("from the handler");
        await Should.ThrowAsync<KubernetesException>(() => _informer.WaitForSyncAsync());
    }

    [Fact]
    public async Task Cancelled_run_returns_and_releases_those_who_wait()
    {
        Start();
        var wait = _informer.WaitForSyncAsync();

        await _stop.CancelAsync();

        await _run;
        await Should.ThrowAsync<OperationCanceledException>(() => wait);
        await Should.ThrowAsync<InvalidOperationException>(() => _informer.RunAsync(default));
    }

    private void Start() => _run = _informer.RunAsync(_stop.Token);

    private async Task<string> NextAsync()
    {
        var next = _changes.Reader.ReadAsync().AsTask();
        await Task.WhenAny(next, _run);
        var change = await next;
        return $"{change.Type} {change.Object.Metadata.Name} {change.Object.Metadata.ResourceVersion}";
    }

    private static Func<HttpContext, Task> List(string version, params string[] maps) => context =>
        MockApi.AnswerAsync(context, $$"""{"metadata":{"resourceVersion":"{{version}}"},"items":[{{string.Join(',', maps)}}]}""");

    private static Func<HttpContext, Task> Watch(params string[] lines) => async context =>
    {
        await Ended(string.Concat(lines))(context);
        await context.Response.Body.FlushAsync();
        await StayOpenAsync(context);
    };

    private static Func<HttpContext, Task> Ended(string text) => context => MockApi.AnswerAsync(context, text);

    private static Task StayOpenAsync(HttpContext context) =>
        Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);

    private static string Map(string name, string version, string uid = "u") =>
        $$$"""{"metadata":{"name":"{{{name}}}","namespace":"shop","uid":"{{{uid}}}","resourceVersion":"{{{version}}}"}}""";

    private static string Event(string type, string map) => "{\"type\":\"" + type + "\",\"object\":" + map + "}\n";
}
