using Fairlead.Testbed;

[assembly: AssemblyFixture(typeof(Fairlead.EndToEnd.Tests.Harness.SharedCluster))]

namespace Fairlead.EndToEnd.Tests.Harness;

/// <summary>
/// The cluster that the whole run shares, brought up for the first test that needs it. Tests that need something else in it make a
/// namespace of their own and remove it.
/// </summary>
public sealed class SharedCluster : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private Task<Cluster>? _cluster;

    public Task<Cluster> GetAsync()
    {
        lock (_gate)
        {
            return _cluster ??= Cluster.CreateAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_cluster is { IsCompletedSuccessfully: true })
        {
            await (await _cluster).DisposeAsync();
        }
    }
}

/// <summary>A test that needs the shared cluster. What it makes on the way is taken down at its end; when it fails, the logs are printed first.</summary>
public abstract class ClusterTest(SharedCluster shared) : IAsyncLifetime
{
    private readonly List<Laptop> _laptops = [];

    protected Cluster Cluster { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Cluster = await shared.GetAsync();

    protected async Task<Laptop> NewLaptopAsync(bool start = true, bool bindMountedHosts = false) => Keep(await Cluster.NewLaptopAsync(bindMountedHosts, start));

    /// <summary>A laptop whose user, invited for <paramref name="namespaces"/>, has joined.</summary>
    protected async Task<Laptop> NewMemberAsync(string namespaces = "shop", bool bindMountedHosts = false) => Keep(await Cluster.NewMemberAsync(namespaces, bindMountedHosts));

    /// <inheritdoc cref="Needs.Need"/>
    protected void Need(ClusterFeature feature) => Needs.Need(Cluster, feature);

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (TestContext.Current.TestState?.Result == TestResult.Failed)
        {
            await Cluster.PrintLogsAsync();
            foreach (var laptop in _laptops)
            {
                await laptop.PrintLogsAsync();
            }
        }

        foreach (var laptop in _laptops)
        {
            await laptop.DisposeAsync();
        }
    }

    private Laptop Keep(Laptop laptop)
    {
        _laptops.Add(laptop);
        return laptop;
    }
}

/// <summary>Tests that take away from the shared cluster what others need (its gateways, say): they run alone, after all others.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Disturbing
{
    public const string Name = "disturbing";
}
