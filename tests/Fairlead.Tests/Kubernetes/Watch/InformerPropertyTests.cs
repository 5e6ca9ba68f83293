using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;
using FsCheck;
using FsCheck.Fluent;

namespace Fairlead.Tests.Kubernetes.Watch;

/// <summary>Whatever a server does to its watches, an informer tells each change once, in order, and ends with the server's state.</summary>
public sealed class InformerPropertyTests
{
    [Fact]
    public async Task Events_survive_any_sequence_of_faults_without_loss_or_repeat()
    {
        FaultyCluster cluster = null!;
        await using var api = await MockApi.StartAsync((context, _) => cluster.HandleAsync(context));

        Prop.ForAll<byte[]>(bytes =>
        {
            var plan = bytes.Chunk(3).Where(c => c.Length == 3)
                .Select(c => new Step(c[0] % 4, c[1] % 6, (Fault)(c[2] % Enum.GetValues<Fault>().Length))).ToList();
            cluster = new FaultyCluster(plan, seed: bytes.Length);
            CheckAsync(api, cluster).GetAwaiter().GetResult();
        }).Check(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(60).WithEndSize(60));
    }

    [Theory]
    [InlineData(Fault.CleanEnd)]
    [InlineData(Fault.Abort)]
    [InlineData(Fault.HalfLine)]
    [InlineData(Fault.Bookmark)]
    [InlineData(Fault.Busy)]
    [InlineData(Fault.Repeat)]
    public async Task Faults_that_need_no_new_list_tell_the_exact_history(object fault)
    {
        var cluster = new FaultyCluster(Enumerable.Range(0, 12).Select(i => new Step(i % 3, 1 + (i % 4), (Fault)fault)), seed: 7);
        await using var api = await MockApi.StartAsync((context, _) => cluster.HandleAsync(context));

        var told = await CheckAsync(api, cluster);

        cluster.Lists.ShouldBe(1);
        told.ShouldBe(cluster.History.Select(c => (Type(c), c.Name, c.Version)));
    }

    private static async Task<List<(InformerEventType Type, string Name, long Version)>> CheckAsync(MockApi api, FaultyCluster cluster)
    {
        var told = new List<(InformerEventType, string, long)>();
        var state = new Dictionary<string, ConfigMap>();
        var problems = new List<string>();
        var complete = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var client = api.Client(new ManualTime(skip: TimeSpan.FromSeconds(30)));
        using var stop = new CancellationTokenSource();
        var informer = new Informer<ConfigMap>(client, Resources.ConfigMaps, "shop");
        informer.OnChange += change =>
        {
            var name = change.Object.Metadata.Name!;
            var known = state.GetValueOrDefault(name);
            told.Add((change.Type, name, Version(change.Object)));
            if (change.Type == InformerEventType.Added ? known is not null : known is null || !ReferenceEquals(known, change.Previous))
            {
                problems.Add($"{change.Type} of {name}, which was {(known is null ? "not there" : "there")}");
            }

            if (change.Type == InformerEventType.Modified && Version(change.Object) <= Version(known!))
            {
                problems.Add($"{name} went from {Version(known!)} to {Version(change.Object)}");
            }

            if (change.Type == InformerEventType.Deleted)
            {
                state.Remove(name);
            }
            else
            {
                state[name] = change.Object;
            }

            if (name == "last")
            {
                complete.SetResult();
            }
        };

        var run = informer.RunAsync(stop.Token);
        await Task.WhenAny(complete.Task, run);
        await stop.CancelAsync();
        await run;

        problems.ShouldBeEmpty();
        var expected = cluster.State.ToDictionary(s => s.Key, s => s.Value.Version);
        state.ToDictionary(s => s.Key, s => Version(s.Value)).ShouldBe(expected, ignoreOrder: true);
        informer.Snapshot.ToDictionary(s => s.Key.Name, s => Version(s.Value)).ShouldBe(expected, ignoreOrder: true);
        told.Where(t => t.Item1 != InformerEventType.Deleted).Select(t => t.Item3).ShouldBeUnique();
        return told;
    }

    private static InformerEventType Type(Change change) => change.Type switch
    {
        "ADDED" => InformerEventType.Added,
        "MODIFIED" => InformerEventType.Modified,
        _ => InformerEventType.Deleted,
    };

    private static long Version(ConfigMap map) => long.Parse(map.Metadata.ResourceVersion!);
}
