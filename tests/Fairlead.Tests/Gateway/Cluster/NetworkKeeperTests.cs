using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Cluster;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Gateway.Cluster;

public sealed class NetworkKeeperTests : IAsyncDisposable
{
    private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(500);

    private readonly ManualTime time = new();
    private readonly World world = new();
    private readonly CancellationTokenSource stopping = new();
    private IReadOnlyList<IPNetwork> ranges = [IPNetwork.Parse("10.96.0.0/16")];
    private int asked;
    private int changes;
    private Task running = Task.CompletedTask;

    [Fact]
    public void Subnets_are_those_of_the_API_server_and_of_the_nodes()
    {
        var told = Start().Current.ShouldNotBeNull();
        told.ServiceSubnets.ShouldBe(["10.96.0.0/16"]);
        told.PodSubnets.ShouldBe(["10.244.0.0/16"]);
        (told.ClusterDomain, told.DnsAddress).ShouldBe(("cluster.local", "10.96.0.10"));
        changes.ShouldBe(1);
    }

    [Fact]
    public async Task Crowd_of_pods_elsewhere_is_one_change_and_their_subnet_stays_when_they_go()
    {
        var keeper = Start();
        for (var i = 1; i <= 3; i++)
        {
            world.Pod($"shop/p{i}", $"172.20.3.{i}");
            keeper.Wake();
        }

        await LookAgainAsync();
        await UntilAsync(() => changes == 2);
        keeper.Current!.PodSubnets.ShouldBe(["10.244.0.0/16", "172.20.3.0/24"]);

        for (var i = 1; i <= 3; i++)
        {
            world.State.RemovePod(World.Key($"shop/p{i}"));
        }

        keeper.Wake();
        await LookAgainAsync();
        await HasLookedAsync(keeper);
        keeper.Current.PodSubnets.ShouldBe(["10.244.0.0/16", "172.20.3.0/24"]);
        changes.ShouldBe(2);
    }

    [Fact]
    public async Task Nothing_new_is_no_change()
    {
        var keeper = Start();
        var before = keeper.Current;
        world.Pod("shop/p1", "10.244.0.7");
        keeper.Wake();
        await LookAgainAsync();
        await HasLookedAsync(keeper);
        (changes, keeper.Current).ShouldBe((1, before));
    }

    [Fact]
    public async Task API_server_is_asked_again_after_a_minute()
    {
        var keeper = Start();
        ranges = [IPNetwork.Parse("10.96.0.0/16"), IPNetwork.Parse("10.200.0.0/16")];
        time.Advance(TimeSpan.FromMinutes(1));
        await UntilAsync(() => time.Pending == 1);
        time.Advance(Quiet);
        await UntilAsync(() => changes == 2);
        asked.ShouldBe(2);
        keeper.Current!.ServiceSubnets.ShouldBe(["10.96.0.0/16", "10.200.0.0/16"]);
    }

    [Fact]
    public void Subnets_that_an_admin_gave_are_not_asked_for()
    {
        var told = Start([IPNetwork.Parse("10.50.0.0/16")], [IPNetwork.Parse("10.60.0.0/16")]).Current.ShouldNotBeNull();
        (told.ServiceSubnets.Single(), told.PodSubnets.Single()).ShouldBe(("10.50.0.0/16", "10.60.0.0/16"));
        asked.ShouldBe(0);
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(running);
        stopping.Dispose();
    }

    private NetworkKeeper Start(IReadOnlyList<IPNetwork>? services = null, IReadOnlyList<IPNetwork>? pods = null)
    {
        var keeper = new NetworkKeeper(world.State, ReadAsync, services ?? [], pods ?? [], "cluster.local", IPAddress.Parse("10.96.0.10"), time, NullLogger<NetworkKeeper>.Instance)
        {
            Changed = () => Interlocked.Increment(ref changes),
        };
        running = keeper.RunAsync(stopping.Token);
        return keeper;
    }

    private Task<IReadOnlyList<IPNetwork>> ReadAsync(CancellationToken cancellationToken)
    {
        asked++;
        return Task.FromResult(ranges);
    }

    /// <summary>Lets the quiet pass that follows a change: its timer stands beside that of the next question.</summary>
    private async Task LookAgainAsync()
    {
        await UntilAsync(() => time.Pending == 2);
        time.Advance(Quiet);
    }

    /// <summary>Only who has looked can be woken again.</summary>
    private Task HasLookedAsync(NetworkKeeper keeper) => UntilAsync(() =>
    {
        keeper.Wake();
        return time.Pending == 2;
    });
}
