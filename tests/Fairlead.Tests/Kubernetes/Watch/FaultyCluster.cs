using Microsoft.AspNetCore.Http;

namespace Fairlead.Tests.Kubernetes.Watch;

internal enum Fault
{
    CleanEnd,
    Abort,
    HalfLine,
    Garbage,
    GoneInStream,
    GoneAtOnce,
    ServerError,
    Busy,
    Bookmark,
    Repeat,
    ListFails,
}

/// <summary>One watch connection: changes made before it, changes made while it is open, how it ends.</summary>
internal sealed record Step(int Before, int During, Fault End);

internal sealed record Change(string Type, string Name, string Uid, long Version);

/// <summary>
/// ConfigMaps that change by plan and are served by an API server that fails by plan. After the plan one more object, <c>last</c>, is
/// made and the watch stays open, so that whoever has seen it has seen everything.
/// </summary>
internal sealed class FaultyCluster(IEnumerable<Step> plan, int seed)
{
    private readonly Queue<Step> _plan = new(plan);
    private readonly Random _random = new(seed);
    private readonly Lock _lock = new();
    private long _version = 100, _floor = 100;
    private int _failingLists;

    public List<Change> History { get; } = [];

    public Dictionary<string, Change> State { get; } = [];

    public int Lists { get; private set; }

    public async Task HandleAsync(HttpContext context)
    {
        if (context.Request.Query["watch"] == "true")
        {
            await WatchAsync(context, long.Parse(context.Request.Query["resourceVersion"]!));
            return;
        }

        string answer;
        lock (_lock)
        {
            answer = _failingLists-- > 0 ? "" : Serialize();
        }

        await (answer.Length > 0 ? MockApi.AnswerAsync(context, answer) : MockApi.FailAsync(context, 500, "InternalError"));
    }

    private string Serialize()
    {
        Lists++;
        var items = string.Join(',', State.Values.Select(Object));
        return $$"""{"kind":"ConfigMapList","metadata":{"resourceVersion":"{{_version}}"},"items":[{{items}}]}""";
    }

    private async Task WatchAsync(HttpContext context, long from)
    {
        Step step;
        string stream;
        lock (_lock)
        {
            step = _plan.Count > 0 ? _plan.Dequeue() : new Step(0, 0, Fault.CleanEnd) { Before = -1 };
            Change(step.Before);
            if (step.End == Fault.GoneAtOnce)
            {
                _floor = ++_version;
            }

            if (step.Before >= 0 && step.End is Fault.ServerError or Fault.Busy)
            {
                stream = "";
            }
            else if (from < _floor)
            {
                step = step with { End = Fault.GoneAtOnce };
                stream = "";
            }
            else
            {
                Change(step.During);
                var news = History.Where(c => c.Version > from).Select(Event).ToList();
                stream = string.Concat(news) + Ending(step, news);
            }

            _failingLists = step.End == Fault.ListFails ? 2 : _failingLists;
            if (step.End is Fault.GoneInStream or Fault.ListFails)
            {
                _floor = _version;
            }
        }

        switch (step.End)
        {
            case Fault.GoneAtOnce:
                await MockApi.FailAsync(context, 410, "Expired");
                return;
            case Fault.ServerError:
                await MockApi.FailAsync(context, 500, "InternalError");
                return;
            case Fault.Busy:
                await MockApi.FailAsync(context, 429, "TooManyRequests");
                return;
        }

        await MockApi.AnswerAsync(context, stream);
        await context.Response.Body.FlushAsync();
        if (step.Before < 0)
        {
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
        }
        else if (step.End is Fault.Abort or Fault.HalfLine)
        {
            context.Abort();
        }
    }

    private string Ending(Step step, List<string> news) => step.End switch
    {
        Fault.HalfLine => Event(new Change("ADDED", "half", "half", _version + 1))[..40],
        Fault.Garbage => "<html>\n",
        Fault.GoneInStream or Fault.ListFails => "{\"type\":\"ERROR\",\"object\":" + MockApi.Status(410, "Expired") + "}\n",
        Fault.Bookmark => $$$"""{"type":"BOOKMARK","object":{"kind":"ConfigMap","metadata":{"resourceVersion":"{{{_version}}}"}} }""" + "\n",
        Fault.Repeat => string.Concat(news.TakeLast(2)),
        _ => "",
    };

    /// <summary>Makes so many changes; -1 makes the last one.</summary>
    private void Change(int count)
    {
        for (var i = 0; i < count; i++)
        {
            var name = $"m{_random.Next(5)}";
            if (!State.TryGetValue(name, out var now))
            {
                Record("ADDED", name, $"u{_version}");
            }
            else
            {
                Record(_random.Next(3) == 0 ? "DELETED" : "MODIFIED", name, now.Uid);
            }
        }

        if (count < 0 && !State.ContainsKey("last"))
        {
            Record("ADDED", "last", "last");
        }
    }

    private void Record(string type, string name, string uid)
    {
        var change = new Change(type, name, uid, ++_version);
        History.Add(change);
        if (type == "DELETED")
        {
            State.Remove(name);
        }
        else
        {
            State[name] = change;
        }
    }

    private static string Event(Change change) => "{\"type\":\"" + change.Type + "\",\"object\":" + Object(change) + "}\n";

    private static string Object(Change change) =>
        $$$"""{"kind":"ConfigMap","metadata":{"name":"{{{change.Name}}}","namespace":"shop","uid":"{{{change.Uid}}}","resourceVersion":"{{{change.Version}}}"}}""";
}
