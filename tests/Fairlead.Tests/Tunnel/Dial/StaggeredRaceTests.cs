using System.Collections.Concurrent;
using Fairlead.Contracts.Errors;
using Fairlead.Tunnel.Dial;
using Fairlead.Tunnel.Tls;
using Shouldly;
using Xunit;

namespace Fairlead.Tests.Tunnel.Dial;

public sealed class StaggeredRaceTests
{
    private static readonly TimeSpan HeadStart = TimeSpan.FromSeconds(1);
    private readonly ManualTime _time = new();
    private readonly List<string> _discarded = [];
    private readonly ConcurrentDictionary<string, TaskCompletionSource<string>> _started = [];

    [Fact]
    public async Task First_to_get_through_is_taken_and_no_other_is_started()
    {
        var race = Run(["a", "b"]);

        _started["a"].SetResult("a's");

        (await race).ShouldBe(("a's", null));
        _started.Keys.ShouldBe(["a"]);
        _discarded.ShouldBeEmpty();
    }

    [Fact]
    public async Task Next_starts_with_the_end_of_the_head_start_and_the_slow_one_may_still_win()
    {
        var race = Run(["a", "b", "c"]);
        _time.Advance(HeadStart - TimeSpan.FromMilliseconds(1));
        _started.Keys.ShouldBe(["a"]);

        _time.Advance(TimeSpan.FromMilliseconds(1));
        await Waits.UntilAsync(() => _time.Pending == 1 && _started.Count == 2);
        _started["a"].SetResult("a's");

        (await race.WaitAsync(Waits.Soon)).ShouldBe(("a's", null));
        _started.Keys.ShouldBe(["a", "b"], ignoreOrder: true);
    }

    [Fact]
    public async Task Next_starts_at_once_when_one_has_failed()
    {
        var race = Run(["a", "b"]);

        _started["a"].SetException(Problem("shut", refused: false));
        await Waits.UntilAsync(() => _started.ContainsKey("b"));
        _started["b"].SetResult("b's");

        (await race.WaitAsync(Waits.Soon)).ShouldBe(("b's", null));
    }

    [Fact]
    public async Task What_gets_through_too_late_is_discarded()
    {
        var race = Run(["a", "b"], deaf: true);
        _time.Advance(HeadStart);
        await Waits.UntilAsync(() => _started.ContainsKey("b"));

        _started["b"].SetResult("b's");
        _started["a"].SetResult("a's");

        var (won, _) = await race.WaitAsync(Waits.Soon);
        new[] { "a's", "b's" }.ShouldBe([won!, .. _discarded], ignoreOrder: true);
    }

    [Theory]
    [InlineData(false, false, "a")]
    [InlineData(false, true, "b")]
    [InlineData(true, true, "a")]
    public async Task Without_a_winner_the_first_problem_is_told_or_the_first_refusal(bool first, bool second, string told)
    {
        var race = Run(["a", "b"]);

        _started["a"].SetException(Problem("a", first));
        await Waits.UntilAsync(() => _started.ContainsKey("b"));
        _started["b"].SetException(Problem("b", second));

        var (won, problem) = await race.WaitAsync(Waits.Soon);
        won.ShouldBeNull();
        problem!.Error.Message.ShouldBe(told);
    }

    [Fact]
    public async Task Without_ways_there_is_neither_winner_nor_problem() => (await Run([])).ShouldBe((null, null));

    [Fact]
    public async Task Cancelled_race_gives_up_what_is_under_way()
    {
        using var stop = new CancellationTokenSource();
        var race = Run(["a", "b"], stop: stop.Token);

        await stop.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(race.WaitAsync(Waits.Soon));
        _started["a"].Task.IsCanceled.ShouldBeTrue();
        _started.ShouldNotContainKey("b");
        await Waits.UntilAsync(() => _time.Pending == 0);
    }

    private static CarrierException Problem(string what, bool refused) => new(new ErrorInfo(ErrorCategory.NotConnected, "code", what, null, "next"), refused);

    /// <param name="deaf">Attempts that don't hear that they are given up.</param>
    private Task<(string? Won, CarrierException? Problem)> Run(string[] ways, bool deaf = false, CancellationToken stop = default) => StaggeredRace.RunAsync(
        ways,
        HeadStart,
        (way, enough) =>
        {
            var attempt = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            if (!deaf)
            {
                enough.Register(() => attempt.TrySetCanceled(enough));
            }

            _started[way] = attempt;
            return attempt.Task;
        },
        late =>
        {
            _discarded.Add(late);
            return ValueTask.CompletedTask;
        },
        _time,
        stop);
}
