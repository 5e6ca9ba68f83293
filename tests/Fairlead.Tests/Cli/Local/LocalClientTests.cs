using Fairlead.Cli.Local;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;

namespace Fairlead.Tests.Cli.Local;

public sealed class LocalClientTests
{
    [Fact]
    public async Task Client_without_a_daemon_says_how_to_start_one()
    {
        var client = new LocalClient("/nonexistent/daemon.sock");
        var error = (await Should.ThrowAsync<FairleadException>(() => client.GetAsync(LocalApi.Spaces, LocalJson.Default.SpaceList, Token))).Error;
        error.Category.ShouldBe(ErrorCategory.NotConnected);
        error.Code.ShouldBe("daemon-not-running");
        error.Why.ShouldBe("nobody listens on /nonexistent/daemon.sock");
        error.Hint.ShouldBe("sudo fairlead start");
    }

    [Fact]
    public async Task Client_passes_the_daemons_own_error_on()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("GET", "/v1/spaces", """{"error":{"category":"Denied","code":"not-yours","message":"m","why":"w","hint":"h"}}""", 403);
        var client = new LocalClient(daemon.Socket);
        var error = (await Should.ThrowAsync<FairleadException>(() => client.GetAsync(LocalApi.Spaces, LocalJson.Default.SpaceList, Token))).Error;
        error.ShouldBe(new ErrorInfo(ErrorCategory.Denied, "not-yours", "m", "w", "h"));
    }

    [Theory]
    [InlineData("<html>", 200)]
    [InlineData("null", 200)]
    [InlineData("{}", 200)]
    [InlineData("gone", 404)]
    [InlineData("{}", 500)]
    public async Task Client_with_an_answer_of_another_kind_says_so(string body, int status)
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("GET", "/v1/spaces", body, status);
        var client = new LocalClient(daemon.Socket);
        var error = (await Should.ThrowAsync<FairleadException>(() => client.GetAsync(LocalApi.Spaces, LocalJson.Default.SpaceList, Token))).Error;
        error.Code.ShouldBe("daemon-answer");
        error.Category.ShouldBe(ErrorCategory.Failed);
    }

    [Fact]
    public async Task Client_watch_yields_each_line_and_ends_with_the_daemon()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("GET", "/v1/spaces?watch=true", "{\"spaces\":[]}\n\n{\"spaces\":[]}\n");
        var client = new LocalClient(daemon.Socket);
        var count = 0;
        await foreach (var list in client.WatchAsync(LocalApi.Spaces, LocalJson.Default.SpaceList, Token))
        {
            list.Spaces.ShouldBeEmpty();
            count++;
        }

        count.ShouldBe(2);
    }

    [Theory]
    [InlineData("/v1/spaces", "a b/c", "/v1/spaces/a%20b%2Fc")]
    [InlineData("/v1/options", "..", "/v1/options/..")]
    public void Path_escapes_what_a_person_typed(string path, string segment, string expected) => LocalPath.Below(path, segment).ShouldBe(expected);

    [Fact]
    public void Path_query_parameters_are_joined_and_null_ones_left_out() =>
        LocalPath.With(LocalPath.With(LocalPath.With("/v1/services", "space", "a&b"), "namespace", null), "watch", "true").ShouldBe("/v1/services?space=a%26b&watch=true");

    private static CancellationToken Token => TestContext.Current.CancellationToken;
}
