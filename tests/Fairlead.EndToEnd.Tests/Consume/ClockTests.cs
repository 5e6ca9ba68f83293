using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Consume;

/// <summary>A laptop whose clock is off by a day: what fails says that it is the clock, and all is well once it is right.</summary>
public sealed class ClockTests(SharedCluster cluster) : ClusterTest(cluster)
{
    [Fact]
    public async Task Join_names_the_clock_and_does_not_use_up_the_token()
    {
        var laptop = await NewLaptopAsync(start: false);
        var token = await Cluster.InviteAsync($"user{laptop.Number}", "shop");
        foreach (var offset in new[] { "-1d", "+1d" })
        {
            await laptop.SetClockAsync(offset);
            await laptop.RestartAsync();
            var refused = await laptop.FairleadAsync("join", token);
            refused.ExitCode.ShouldNotBe(0);
            refused.Error.ShouldContain("clock");
            refused.Error.ShouldContain("timedatectl");
        }

        await laptop.SetClockAsync("+0");
        await laptop.RestartAsync();
        (await laptop.FairleadAsync("join", token)).ShouldSucceed();
    }

    [Fact]
    public async Task Status_names_the_clock_until_it_is_right()
    {
        var laptop = await NewLaptopAsync(start: false);
        await laptop.SetClockAsync("+0");
        await laptop.StartAsync();
        await Cluster.JoinAsync(laptop, "shop");
        await laptop.ConsumeAsync("shop/frontend");

        // While the link is up, and once it has to be made anew.
        await laptop.SetClockAsync("+1d");
        await Shell.EventuallyAsync("the jump is seen", () => StatusNamesClockAsync(laptop));
        (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();
        (await laptop.FairleadAsync("doctor")).ShouldFail(1).Output.ShouldContain("ahead of the gateway's");
        await laptop.SetClockAsync("-1d");
        await laptop.RestartAsync();
        await Shell.EventuallyAsync("it is seen after a restart", () => StatusNamesClockAsync(laptop));

        await laptop.SetClockAsync("+0");
        await Shell.EventuallyAsync("it heals", async () => (await laptop.CurlAsync("http://frontend.shop/")).ExitCode == 0 && !await StatusNamesClockAsync(laptop));
    }

    private static async Task<bool> StatusNamesClockAsync(Laptop laptop)
    {
        var status = (await laptop.FairleadAsync("status")).Text;
        return status.Contains("clock", StringComparison.OrdinalIgnoreCase) && status.Contains("timedatectl", StringComparison.Ordinal);
    }
}
