using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Tests.Daemon.Fakes;

namespace Fairlead.Tests.Daemon.Api;

public sealed class LocalApiTests : IAsyncLifetime
{
    private const uint Alice = 1001;
    private const uint Bob = 1002;

    private readonly FakeHost host = new();
    private readonly FakeGateway gateway = new();
    private TestDaemon daemon = null!;

    public async ValueTask InitializeAsync()
    {
        gateway.Tell(TestDaemon.Service("shop", "frontend", 80));
        daemon = await TestDaemon.StartAsync(host, gateway);
        host.CallerUid = Alice;
    }

    public async ValueTask DisposeAsync()
    {
        await daemon.DisposeAsync();
        host.Dispose();
    }

    [Fact]
    public async Task Join_makes_the_space_the_caller_s()
    {
        var status = await daemon.JoinAsync();
        status.Owner.ShouldBe((int)Alice);
        status.Subject.ShouldBe("invite:alice");
        status.Link.ShouldBe(LinkState.Connected);
        status.Services.ShouldBe(1);
        status.InUse.ShouldBeTrue();
        Directory.Exists(Path.Combine(host.StateDirectory, "1001", gateway.Uid)).ShouldBeTrue();
    }

    [Fact]
    public async Task Join_key_is_root_s_only()
    {
        await daemon.JoinAsync();
        foreach (var file in Directory.GetFiles(Path.Combine(host.StateDirectory, "1001", gateway.Uid)))
        {
            (OperatingSystem.IsWindows() || File.GetUnixFileMode(file) == (UnixFileMode.UserRead | UnixFileMode.UserWrite)).ShouldBeTrue(file);
        }
    }

    [Fact]
    public async Task Join_again_keeps_name_rules_and_addresses()
    {
        await daemon.JoinAsync();
        var before = await daemon.ConsumeAsync("shop/*");
        (await daemon.JoinAsync()).Name.ShouldBe("team");
        var after = await daemon.WaitForAsync(LocalApi.Consume, LocalJson.Default.ConsumeState, state => state.Services.Count == 1);
        after.Services[0].Address.ShouldBe(before.Services[0].Address);
        gateway.Links[0].IsDisposed.ShouldBeTrue();
    }

    [Fact]
    public async Task Space_of_another_person_is_not_there()
    {
        await daemon.JoinAsync();
        host.CallerUid = Bob;
        (await daemon.GetAsync(LocalApi.Spaces, LocalJson.Default.SpaceList)).Spaces.ShouldBeEmpty();
        (await daemon.GetAsync(LocalApi.Status, LocalJson.Default.DaemonStatus)).Spaces.ShouldBeEmpty();
        (await daemon.FailAsync(() => daemon.ConsumeAsync("shop/*"))).Code.ShouldBe("space-none");
        (await daemon.FailAsync(() => daemon.ConsumeAsync(new ConsumeRequest(Add: ["shop/*"]), "?space=team"))).Code.ShouldBe("space-unknown");
        (await daemon.FailAsync(() => daemon.SendAsync(HttpMethod.Delete, LocalApi.Spaces + "/team"))).Code.ShouldBe("space-unknown");
        (await daemon.FailAsync(() => daemon.SendAsync(HttpMethod.Get, LocalApi.Logs))).Category.ShouldBe(ErrorCategory.Denied);
        (await daemon.FailAsync(() => daemon.SendAsync(HttpMethod.Post, LocalApi.Shutdown))).Category.ShouldBe(ErrorCategory.Denied);
    }

    [Fact]
    public async Task Space_of_anybody_may_be_changed_by_root()
    {
        await daemon.JoinAsync();
        host.CallerUid = 0;
        (await daemon.ConsumeAsync("shop/*")).Services.ShouldHaveSingleItem();
        await daemon.SendAsync(HttpMethod.Delete, LocalApi.Spaces + "/team");
        (await daemon.GetAsync(LocalApi.Spaces, LocalJson.Default.SpaceList)).Spaces.ShouldBeEmpty();
    }

    [Fact]
    public async Task Space_joined_by_two_people_is_two_spaces()
    {
        await daemon.JoinAsync();
        host.CallerUid = Bob;
        var second = await daemon.JoinAsync();
        second.Name.ShouldBe("team-2");
        second.InUse.ShouldBeFalse();
        (await daemon.ConsumeAsync("shop/*")).Services[0].Names[0].ShouldBe("frontend.shop.team-2");
        (await daemon.FailAsync(() => daemon.SendAsync(HttpMethod.Post, LocalApi.Spaces + "/team-2/use"))).Category.ShouldBe(ErrorCategory.Denied);
    }

    [Fact]
    public async Task Leave_forgets_everything_of_the_space()
    {
        await daemon.JoinAsync();
        await daemon.ConsumeAsync("shop/*");
        await daemon.SendAsync(HttpMethod.Delete, LocalApi.Spaces + "/team");
        host.Hosts.Content.ShouldBe("127.0.0.1 localhost\n");
        host.Capture.Table.Entries.ShouldBeEmpty();
        Directory.Exists(Path.Combine(host.StateDirectory, "1001", gateway.Uid)).ShouldBeFalse();
        gateway.Links[0].IsDisposed.ShouldBeTrue();
    }

    [Theory]
    [InlineData("loopback-range", "127.96.0.0/16", true)]
    [InlineData("capture", "listeners", true)]
    [InlineData("log-level", "debug", false)]
    public async Task Options_are_root_s_and_say_whether_a_restart_is_needed(string key, string value, bool restart)
    {
        (await daemon.FailAsync(() => SetAsync(key, value))).Category.ShouldBe(ErrorCategory.Denied);
        host.CallerUid = 0;
        var changed = await SetAsync(key, value);
        changed.Option.Value.ShouldBe(value);
        changed.RestartNeeded.ShouldBe(restart);
    }

    [Theory]
    [InlineData("loopback-range", "10.0.0.0/8")]
    [InlineData("loopback-range", "127.0.0.0/9")]
    [InlineData("loopback-range", "127.0.1.0/24")]
    [InlineData("loopback-range", "127.72.0.0/30")]
    [InlineData("loopback-range", "nonsense")]
    [InlineData("loopback-range", "::/64")]
    [InlineData("resolver", "telepathy")]
    [InlineData("log-level", "loud")]
    [InlineData("capture", "")]
    [InlineData("also-proxy-subnets", "10.0.0.0/8,10.0.0.1/8")]
    [InlineData("never-proxy-subnets", "10.0.0.1")]
    [InlineData("dns-include-suffixes", "exa mple.com")]
    [InlineData("virtual-subnet", "246.0.0.0/28")]
    [InlineData("virtual-subnet", "fd00::/16")]
    [InlineData("colour", "blue")]
    public async Task Options_nonsense_is_a_usage_error(string key, string value)
    {
        host.CallerUid = 0;
        (await daemon.FailAsync(() => SetAsync(key, value))).Category.ShouldBe(ErrorCategory.Usage);
    }

    [Fact]
    public async Task Options_survive_a_restart()
    {
        host.CallerUid = 0;
        await SetAsync("loopback-range", "127.96.0.0/16");
        await daemon.DisposeAsync();
        daemon = await TestDaemon.StartAsync(host, gateway);
        await daemon.JoinAsync();
        (await daemon.ConsumeAsync("shop/*")).Services[0].Address.ShouldStartWith("127.96.");
    }

    [Fact]
    public async Task Settings_of_the_gateway_reach_status_and_options_while_connected_and_the_laptop_s_own_win()
    {
        await daemon.JoinAsync();
        gateway.Set((ClientSettingKeys.AlsoProxySubnets, "10.9.0.0/16, 10.8.0.0/16"), (ClientSettingKeys.Resolver, "telepathy"), ("of-a-later-version", "x"));
        var status = await daemon.WaitForAsync(LocalApi.Status, LocalJson.Default.DaemonStatus, s => s.Spaces[0].Settings is { Count: > 0 });
        status.Spaces[0].Settings.ShouldBe([new SpaceSetting(ClientSettingKeys.AlsoProxySubnets, "10.9.0.0/16,10.8.0.0/16", false)]);
        (await OptionAsync()).ShouldBe(("10.9.0.0/16,10.8.0.0/16", OptionSource.Gateway));

        host.CallerUid = 0;
        var path = LocalApi.Options + "/" + ClientSettingKeys.AlsoProxySubnets;
        (await daemon.Client.PutAsJsonAsync(path, new OptionChange("10.7.0.0/16"), LocalJson.Default.OptionChange)).EnsureSuccessStatusCode();
        (await OptionAsync()).ShouldBe(("10.7.0.0/16", OptionSource.Laptop));
        (await daemon.GetAsync(LocalApi.Status, LocalJson.Default.DaemonStatus)).Spaces[0].Settings![0].Overridden.ShouldBeTrue();

        (await daemon.Client.DeleteAsync(path)).EnsureSuccessStatusCode();
        gateway.Set((ClientSettingKeys.AlsoProxySubnets, "10.6.0.0/16"));
        await daemon.WaitForAsync(LocalApi.Status, LocalJson.Default.DaemonStatus, s => s.Spaces[0].Settings is [{ Value: "10.6.0.0/16" }]);
        gateway.Set();
        await daemon.WaitForAsync(LocalApi.Status, LocalJson.Default.DaemonStatus, s => s.Spaces[0].Settings is { Count: 0 });
        (await OptionAsync()).ShouldBe(("", OptionSource.Default));

        async Task<(string, OptionSource)> OptionAsync() =>
            (await daemon.GetAsync(LocalApi.Options, LocalJson.Default.OptionList)).Options.Single(o => o.Key == ClientSettingKeys.AlsoProxySubnets) is var option ? (option.Value, option.Source) : default;
    }

    [Fact]
    public async Task Shutdown_answers_when_the_host_is_as_it_was()
    {
        await daemon.JoinAsync();
        await daemon.ConsumeAsync("shop/*");
        await daemon.SendAsync(HttpMethod.Post, LocalApi.Shutdown);
        host.Hosts.Content.ShouldBe("127.0.0.1 localhost\n");
        host.Capture.IsDisposed.ShouldBeTrue();
        host.Journal.Pending.ShouldBeEmpty();
        await daemon.Daemon.WaitAsync(CancellationToken.None);
    }

    [Fact]
    public async Task Logs_are_the_last_lines()
    {
        host.CallerUid = 0;
        using var response = await daemon.SendAsync(HttpMethod.Get, LocalApi.Logs + "?lines=1");
        (await response.Content.ReadAsStringAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries).ShouldHaveSingleItem().ShouldContain("Fairlead");
    }

    [Fact]
    public async Task Doctor_checks_host_link_certificate_and_clock()
    {
        await daemon.JoinAsync();
        var report = await daemon.GetAsync(LocalApi.Doctor, LocalJson.Default.DoctorReport);
        report.Checks.ShouldAllBe(check => check.Result == CheckResult.Ok);
        gateway.Now += TimeSpan.FromDays(1);
        report = await daemon.GetAsync(LocalApi.Doctor, LocalJson.Default.DoctorReport);
        report.Checks.Single(check => check.Result == CheckResult.Failed).Subject.ShouldBe("clock against team");
    }

    [Fact]
    public async Task Gateway_of_another_protocol_is_refused_with_the_reason()
    {
        gateway.Hello = gateway.Hello with { ProtocolVersion = 7, ProductVersion = "9.9" };
        await daemon.JoinAsync();
        var status = await daemon.WaitForAsync(LocalApi.Spaces, LocalJson.Default.SpaceList, list => list.Spaces[0].Problem is not null);
        status.Spaces[0].Link.ShouldBe(LinkState.Refused);
        status.Spaces[0].Problem!.Code.ShouldBe("gateway-version");
    }

    [Theory]
    [InlineData("GET", "/v1/nonsense", "")]
    [InlineData("POST", "/v1/join", "garbage")]
    [InlineData("POST", "/v1/join", "{}")]
    [InlineData("POST", "/v1/join", "{\"token\":\"flj1.x.y\"}")]
    [InlineData("POST", "/v1/consume", "[]")]
    public async Task Requests_that_make_no_sense_are_usage_errors(string method, string path, string body)
    {
        if (path == LocalApi.Consume)
        {
            await daemon.JoinAsync();
        }

        (await daemon.FailAsync(() => daemon.SendAsync(new HttpMethod(method), path, new StringContent(body)))).Category.ShouldBe(ErrorCategory.Usage);
    }

    /// <summary>An HttpClient whose own patience ends throws what a cancelled call throws; once that was answered with 200 and nothing.</summary>
    [Fact]
    public async Task Join_whose_gateway_says_nothing_is_told_so()
    {
        gateway.Unreachable = new TaskCanceledException("The request was canceled due to the configured HttpClient.Timeout", new TimeoutException());

        var error = await daemon.FailAsync(() => daemon.JoinAsync());

        (error.Category, error.Code).ShouldBe((ErrorCategory.TimedOut, "gateway-timeout"));
        error.Why.ShouldNotBeNullOrEmpty();
        error.Hint.ShouldBe("Run 'fairlead doctor'.");
    }

    [Fact]
    public async Task Garbage_on_the_socket_harms_nobody()
    {
        using (var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(daemon.Socket));
            await socket.SendAsync(Encoding.Latin1.GetBytes(string.Concat(Enumerable.Range(0, 5000).Select(i => (char)(i % 256)))));
        }

        (await daemon.GetAsync(LocalApi.Status, LocalJson.Default.DaemonStatus)).Capture.Method.ShouldBe("sk_lookup");
    }

    private Task<OptionChanged> SetAsync(string key, string value) =>
        daemon.SendAsync(HttpMethod.Put, $"{LocalApi.Options}/{key}", JsonContent.Create(new OptionChange(value), LocalJson.Default.OptionChange), LocalJson.Default.OptionChanged);
}
