using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Exits;

namespace Fairlead.Tests.Gateway.Exits;

public sealed class ExitPlacerTests : IAsyncLifetime
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    // Pauses between two looks at the pod pass at once.
    private readonly ManualTime time = new(TimeSpan.FromSeconds(1));
    private readonly ExitCluster cluster = new();
    private readonly TaskCompletionSource connected = new();
    private readonly TaskCompletionSource<JoinToken> told = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public async ValueTask InitializeAsync()
    {
        await cluster.StartAsync();
        cluster.Told = (_, token) => told.TrySetResult(token);
    }

    public ValueTask DisposeAsync() => cluster.DisposeAsync();

    [Fact]
    public async Task Agent_of_the_gateways_image_is_told_whose_it_is_and_awaited()
    {
        var states = new Queue<string>(["""{"waiting":{"reason":"ContainerCreating"}}""", "{}", """{"running":{}}"""]);
        cluster.State = _ => states.Count > 1 ? states.Dequeue() : states.Peek();
        var placing = PlaceAsync();

        var token = await told.Task.WaitAsync(Soon);
        (token.InviteId, token.Secret).ShouldBe((ExitCluster.UidOf("web-1"), ExitCluster.Secret));
        placing.IsCompleted.ShouldBeFalse();
        connected.SetResult();
        await placing.WaitAsync(Soon);

        var (pod, container) = cluster.Placed.ShouldHaveSingleItem();
        pod.ShouldBe("web-1");
        (container["image"]!.GetValue<string>(), container["imagePullPolicy"]!.GetValue<string>()).ShouldBe((ExitCluster.Image, "Never"));

        // What it is told stands nowhere where pods can be read.
        container.ToJsonString().ShouldNotContain(ExitCluster.Secret);
    }

    [Fact]
    public async Task Each_agent_has_a_name_of_its_own()
    {
        connected.SetResult();
        await PlaceAsync();
        await PlaceAsync();
        cluster.Placed.Select(placed => placed.Container["name"]!.GetValue<string>()).Distinct().Count().ShouldBe(2);
    }

    [Fact]
    public async Task Agent_that_does_not_connect_is_given_up()
    {
        var placing = PlaceAsync();
        await told.Task.WaitAsync(Soon);

        // It is waited for a moment after it was told.
        while (!placing.IsCompleted)
        {
            time.Advance(AgentEnrolment.NonceLifetime);
            await Task.Yield();
        }

        (await WhyNotAsync(placing)).ShouldContain("did not connect");
    }

    [Theory]
    [InlineData("""{"waiting":{"reason":"ErrImagePull","message":"no such image"}}""", "can't start (ErrImagePull: no such image)")]
    [InlineData("""{"terminated":{"reason":"Error","exitCode":139}}""", "ended at once (Error, exit code 139)")]
    public async Task Agent_that_can_not_run_is_told_with_the_nodes_reason(string state, string why)
    {
        cluster.State = _ => state;
        (await WhyNotAsync(PlaceAsync())).ShouldContain(why);
    }

    [Fact]
    public async Task Agent_that_does_not_start_is_given_up()
    {
        cluster.State = _ =>
        {
            time.Advance(TimeSpan.FromSeconds(25));
            return """{"waiting":{"reason":"ContainerCreating"}}""";
        };
        (await WhyNotAsync(PlaceAsync())).ShouldContain("did not start within 60 s");
    }

    [Fact]
    public async Task Pod_that_was_replaced_meanwhile_is_another_pod()
    {
        cluster.IsReplaced = true;
        (await WhyNotAsync(PlaceAsync())).ShouldContain("went away");
    }

    [Fact]
    public async Task Refusal_of_the_cluster_is_told_in_its_words()
    {
        cluster.Refusal = _ => "violates PodSecurity restricted:latest";
        (await WhyNotAsync(PlaceAsync())).ShouldContain("violates PodSecurity");
    }

    [Fact]
    public async Task Gateway_whose_own_pod_is_not_to_be_read_places_nothing()
    {
        cluster.HasGateway = false;
        (await WhyNotAsync(PlaceAsync())).ShouldContain("gateway-1 can't be read");
        cluster.Placed.ShouldBeEmpty();
    }

    private Task PlaceAsync() => cluster.Placer(time).PlaceAsync(ExitCluster.Pod("web-1"), connected.Task, CancellationToken.None);

    private static async Task<string> WhyNotAsync(Task placing)
    {
        var error = (await Should.ThrowAsync<FairleadException>(() => placing.WaitAsync(Soon))).Error;
        (error.Category, error.Code).ShouldBe((ErrorCategory.Conflict, "exit-impossible"));
        return error.Why.ShouldNotBeNull();
    }
}
