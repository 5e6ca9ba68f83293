using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.EndToEnd.Tests.Identity;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Run;

/// <summary>The spaces that a command may be in, and the ways to have them.</summary>
public sealed class RunSpacesTests(SharedCluster cluster) : ClusterTest(cluster)
{
    private static readonly string[] Frontends = ["get", "pods", "-n", "shop", "-l", "app.kubernetes.io/name=frontend", "-o", "jsonpath={.items[*].metadata.name}"];

    [Fact]
    public async Task Two_commands_side_by_side_are_in_two_spaces_with_the_same_names_and_addresses()
    {
        var laptop = await NewLaptopAsync(start: false);
        await using var second = await SecondCluster.CreateAsync(laptop, 8010);
        var dev = await Developer.AddMemberAsync(laptop, Cluster);
        await dev.JoinAsync(await second.InviteAsync("dev"));

        const string Script = "echo begun; while read; do curl -sS --max-time 10 http://frontend.shop/ | tr -d '\\n'; echo; done";
        using var one = dev.Start(Programs.Fairlead, "run", "--space", "default", "--", "bash", "-c", Script);
        using var other = dev.Start(Programs.Fairlead, "run", "--space", SecondCluster.Space, "--", "bash", "-c", Script);
        foreach (var run in new[] { one, other })
        {
            (await run.StandardOutput.ReadLineAsync(Limit.Token)).ShouldBe("begun");
        }

        // In turn, and both go on when the other has been asked.
        var (pods, otherPods) = ((await Cluster.KubectlAsync(Frontends)).Text.Split(' '), (await second.KubectlAsync(Frontends)).Split(' '));
        for (var turn = 0; turn < 2; turn++)
        {
            foreach (var (run, expected) in new[] { (one, pods), (other, otherPods) })
            {
                await run.StandardInput.WriteLineAsync();
                var answer = (await run.StandardOutput.ReadLineAsync(Limit.Token))!;
                expected.ShouldContain(pod => answer.Contains(pod), answer);
            }
        }

        // The end of one is no business of the other.
        one.StandardInput.Close();
        await one.WaitForExitAsync(Limit.Token);
        await other.StandardInput.WriteLineAsync();
        (await other.StandardOutput.ReadLineAsync(Limit.Token))!.ShouldNotBeEmpty();
        other.StandardInput.Close();
        await other.WaitForExitAsync(Limit.Token);
    }

    [Theory]
    [InlineData("rita", false)]
    [InlineData("pia", true)]
    public async Task Space_that_was_joined_with_a_kubeconfig_is_reached_also_where_only_the_API_server_is(string name, bool onlyApiServer)
    {
        var laptop = await NewLaptopAsync(start: false);
        var user = await ClusterUser.CreateAsync(Cluster, laptop, name);
        try
        {
            await user.LetConsumeAsync("shop");
            await user.LetForwardAsync();
            if (onlyApiServer)
            {
                await laptop.ShutGatewayPortsAsync();
            }

            (await user.FairleadAsync("join", "--for-run", "--kubeconfig", user.Kubeconfig)).Text.ShouldContain($"as {user.Subject}");
            (await user.FairleadAsync("run", "--", "bash", "-c", "curl -sS --max-time 20 http://frontend.shop/healthz; id -u")).Text.Split('\n').ShouldBe(["ok", $"{user.Uid}"]);
            (await user.PluginRanAsAsync()).ShouldAllBe(uid => uid == $"{user.Uid}");
        }
        finally
        {
            await user.RemoveAsync();
        }
    }
}
