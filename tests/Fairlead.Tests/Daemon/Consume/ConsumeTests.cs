using System.Net;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Platform;
using Fairlead.Platform.Capture;
using Fairlead.Tests.Daemon.Fakes;

namespace Fairlead.Tests.Daemon.Consume;

/// <summary>Rules, catalog, names, addresses, capture and hosts file together, asked over the local API.</summary>
public sealed class ConsumeTests : IAsyncLifetime
{
    private readonly FakeHost host = new();
    private readonly FakeGateway gateway = new();
    private TestDaemon daemon = null!;

    public async ValueTask InitializeAsync()
    {
        gateway.Tell(TestDaemon.Service("shop", "frontend", 80), TestDaemon.Service("shop", "redis", 6379), TestDaemon.Service("other", "x", 1));
        daemon = await TestDaemon.StartAsync(host, gateway);
        await daemon.JoinAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await daemon.DisposeAsync();
        host.Dispose();
    }

    [Fact]
    public async Task Consume_answers_when_names_resolve_and_ports_are_captured()
    {
        var state = await daemon.ConsumeAsync("shop/*");
        state.Services.Select(service => service.Name).ShouldBe(["frontend", "redis"]);
        var frontend = state.Services[0];
        frontend.Names.ShouldBe(["frontend.shop", "frontend.shop.svc", "frontend.shop.svc.cluster.local"]);
        host.Hosts.Content.ShouldContain($"\n{frontend.Address} frontend.shop frontend.shop.svc frontend.shop.svc.cluster.local\n");
        host.Capture.Table.Entries.ShouldContain(new CaptureEntry(IPAddress.Parse(frontend.Address), CaptureProtocol.Tcp, 80));
        host.Capture.Table.Entries.Count.ShouldBe(2);
        host.Journal.Pending.ShouldHaveSingleItem().Kind.ShouldBe("hosts-section");
    }

    [Fact]
    public async Task Consume_follows_services_as_they_come_and_go()
    {
        await daemon.ConsumeAsync("shop/*");
        var orders = TestDaemon.Service("shop", "orders", 8080);
        gateway.Tell(orders);
        await daemon.WaitForAsync(LocalApi.Consume, LocalJson.Default.ConsumeState, state => state.Services.Count == 3);
        host.Hosts.Content.ShouldContain("orders.shop");
        gateway.Withdraw(orders);
        await daemon.WaitForAsync(LocalApi.Consume, LocalJson.Default.ConsumeState, state => state.Services.Count == 2);
        host.Hosts.Content.ShouldNotContain("orders.shop");
    }

    [Fact]
    public async Task Consume_burst_of_thousands_is_written_a_few_times_only()
    {
        await daemon.ConsumeAsync("*/*");
        var before = host.Hosts.Writes;
        for (var i = 0; i < 50; i++)
        {
            gateway.Tell([.. Enumerable.Range(0, 40).Select(j => TestDaemon.Service("many", $"s{i}-{j}", 80, 443))]);
        }

        await daemon.WaitForAsync(LocalApi.Consume, LocalJson.Default.ConsumeState, state => state.Services.Count == 2003);
        (host.Hosts.Writes - before).ShouldBeLessThan(20);
        host.Capture.Table.Entries.Count.ShouldBe(4003);
    }

    [Fact]
    public async Task Consume_removing_the_last_rule_restores_the_file()
    {
        var before = host.Hosts.Content;
        await daemon.ConsumeAsync("shop/*");
        (await daemon.ConsumeAsync(new ConsumeRequest(Remove: ["shop/*"]))).Services.ShouldBeEmpty();
        host.Hosts.Content.ShouldBe(before);
        host.Journal.Pending.ShouldBeEmpty();
        host.Capture.Table.Entries.ShouldBeEmpty();
    }

    [Fact]
    public async Task Consume_nonsense_changes_nothing()
    {
        await daemon.ConsumeAsync("shop/redis");
        (await daemon.FailAsync(() => daemon.ConsumeAsync("shop/frontend", "nonsense"))).Code.ShouldBe("rule-invalid");
        (await daemon.GetAsync(LocalApi.Consume, LocalJson.Default.ConsumeState)).Rules.ShouldBe(["shop/redis"]);
    }

    [Fact]
    public async Task Consume_rule_that_matches_nothing_is_a_warning() =>
        (await daemon.ConsumeAsync("secret/*")).Warnings.ShouldHaveSingleItem().ShouldContain("'secret/*'");

    [Fact]
    public async Task Consume_name_of_somebody_s_own_line_is_left_to_them()
    {
        host.Hosts.Edit(content => content + "10.1.1.1 redis.shop\n");
        var state = await daemon.ConsumeAsync("shop/redis");
        state.Services.ShouldHaveSingleItem().Names.ShouldNotContain("redis.shop");
        state.Warnings.ShouldContain(warning => warning.Contains("'redis.shop'"));
        host.Hosts.Edit(content => content.Replace("10.1.1.1 redis.shop\n", ""));
        await daemon.WaitForAsync(LocalApi.Consume, LocalJson.Default.ConsumeState, now => now.Services[0].Names.Contains("redis.shop"));
    }

    [Fact]
    public async Task Consume_foreign_edits_survive_and_our_section_comes_back()
    {
        await daemon.ConsumeAsync("shop/redis");
        host.Hosts.Edit(_ => "127.0.0.1 localhost\n10.9.9.9 mine\n");
        await UntilAsync(() => host.Hosts.Content.Contains("redis.shop"));
        host.Hosts.Content.ShouldStartWith("127.0.0.1 localhost\n10.9.9.9 mine\n###\n");
    }

    [Fact]
    public async Task Consume_somebody_who_removes_our_section_for_ever_wins_and_doctor_says_so()
    {
        await daemon.ConsumeAsync("shop/redis");
        for (var i = 0; i < 5; i++)
        {
            host.Hosts.Edit(_ => "127.0.0.1 localhost\n");
            await UntilAsync(() => host.Hosts.Content.Contains("redis.shop"));
        }

        host.Hosts.Edit(_ => "127.0.0.1 localhost\n");
        await UntilAsync(async () => (await daemon.GetAsync(LocalApi.Doctor, LocalJson.Default.DoctorReport)).Checks.Any(check => check.Subject == "hosts file" && check.Result == CheckResult.Failed));
        host.Hosts.Content.ShouldBe("127.0.0.1 localhost\n");
        await daemon.ConsumeAsync("shop/frontend");
        host.Hosts.Content.ShouldContain("redis.shop");
    }

    [Fact]
    public async Task Consume_hosts_file_that_cannot_be_written_is_an_error_and_heals()
    {
        host.Hosts.Failure = new HostFileException(HostFileProblem.ReadOnly, "/etc/hosts is on a read-only file system");
        var error = await daemon.FailAsync(() => daemon.ConsumeAsync("shop/redis"));
        error.Code.ShouldBe("hosts-file");
        error.Why.ShouldBe("/etc/hosts is on a read-only file system");
        host.Hosts.Failure = null;
        (await daemon.ConsumeAsync("shop/redis")).Services.ShouldHaveSingleItem();
        host.Hosts.Content.ShouldContain("redis.shop");
    }

    [Fact]
    public async Task Consume_port_that_cannot_be_captured_is_named_and_the_others_work()
    {
        host.Capture.Fail = table => [.. table.Entries.Where(entry => entry.Port == 80).Select(entry => new CaptureFailure(entry, "port 80 is taken by nginx (pid 4711)", 4711))];
        var state = await daemon.ConsumeAsync("shop/*");
        state.Services[0].Problem.ShouldNotBeNull().ShouldContain("nginx (pid 4711)");
        state.Services[1].Problem.ShouldBeNull();
    }

    [Fact]
    public async Task Consume_names_and_capture_stay_while_the_link_is_down()
    {
        await daemon.ConsumeAsync("shop/*");
        var content = host.Hosts.Content;
        gateway.Links[0].Set(LinkState.Disconnected, new ErrorInfo(ErrorCategory.NotConnected, "link-down", "The link is down"));
        gateway.BreakCatalogs();
        var state = await daemon.WaitForAsync(LocalApi.Consume, LocalJson.Default.ConsumeState, now => now.Warnings.Any(warning => warning.Contains("not connected")));
        state.Services.Count.ShouldBe(2);
        host.Hosts.Content.ShouldBe(content);
    }

    [Fact]
    public async Task Consume_primary_namespace_has_bare_names()
    {
        await daemon.ConsumeAsync("shop/redis");
        var path = LocalApi.PrimaryNamespacePath;
        var state = await daemon.SendAsync(HttpMethod.Put, path, System.Net.Http.Json.JsonContent.Create(new PrimaryNamespace("shop"), LocalJson.Default.PrimaryNamespace), LocalJson.Default.ConsumeState);
        state.Services[0].Names[0].ShouldBe("redis");
        state = await daemon.SendAsync(HttpMethod.Put, path, System.Net.Http.Json.JsonContent.Create(new PrimaryNamespace(""), LocalJson.Default.PrimaryNamespace), LocalJson.Default.ConsumeState);
        state.Services[0].Names[0].ShouldBe("redis.shop");
    }

    [Fact]
    public async Task Consume_headless_endpoints_have_addresses_of_their_own()
    {
        gateway.Tell(new ServiceRecord("shop", "db", ServiceKind.Headless, [new("", 5432, TransportProtocol.Tcp)], ["db-0", "db-1"]));
        await daemon.ConsumeAsync("shop/db");
        var state = await daemon.WaitForAsync(LocalApi.Consume, LocalJson.Default.ConsumeState, now => now.Services.Count == 3);
        state.Services.Select(service => service.Name).ShouldBe(["db", "db-0.db", "db-1.db"]);
        state.Services.Select(service => service.Address).Distinct().Count().ShouldBe(3);
        state.Services[1].Names.ShouldContain("db-0.db.shop");
    }

    [Fact]
    public async Task Consume_rules_and_addresses_are_the_same_after_a_restart()
    {
        var before = (await daemon.ConsumeAsync("shop/*")).Services.Select(service => (service.Name, service.Address)).ToList();
        await daemon.DisposeAsync();
        host.Hosts.Content.ShouldBe("127.0.0.1 localhost\n");
        daemon = await TestDaemon.StartAsync(host, gateway);
        var after = await daemon.WaitForAsync(LocalApi.Consume, LocalJson.Default.ConsumeState, state => state.Services.Count == 2);
        after.Services.Select(service => (service.Name, service.Address)).ShouldBe(before);
    }

    [Fact]
    public async Task Consume_names_and_listeners_are_there_after_a_restart_while_the_gateway_is_away()
    {
        var before = (await daemon.ConsumeAsync("shop/*")).Services.Select(service => (service.Name, service.Address)).ToList();
        await daemon.DisposeAsync();
        gateway.Unreachable = new HttpRequestException("the gateway is away");

        daemon = await TestDaemon.StartAsync(host, gateway);
        var after = await daemon.WaitForAsync(LocalApi.Consume, LocalJson.Default.ConsumeState, state => state.Services.Count == 2);

        after.Services.Select(service => (service.Name, service.Address)).ShouldBe(before);
        host.Hosts.Content.ShouldContain("frontend.shop");
        host.Capture.Table.Entries.Count.ShouldBe(2);
        (OperatingSystem.IsWindows() || File.GetUnixFileMode(CatalogFile()) == (UnixFileMode.UserRead | UnixFileMode.UserWrite)).ShouldBeTrue();

        // What was stored holds only until the gateway tells what is.
        gateway.Withdraw(TestDaemon.Service("shop", "redis", 6379));
        gateway.Unreachable = null;
        (await daemon.WaitForAsync(LocalApi.Consume, LocalJson.Default.ConsumeState, state => state.Services.Count == 1)).Services[0].Name.ShouldBe("frontend");
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"services\":[{\"namesp")]
    [InlineData("{\"services\":null}")]
    [InlineData("{\"services\":[null]}")]
    [InlineData("{\"services\":[{\"namespace\":\"shop\",\"name\":\"x\",\"kind\":\"ClusterIP\",\"ports\":[null],\"endpoints\":[]}]}")]
    [InlineData("{\"services\":[{\"namespace\":\"shop\",\"name\":\"x\",\"kind\":\"Nonsense\",\"ports\":[],\"endpoints\":[]}]}")]
    public async Task Stored_catalog_that_is_damaged_costs_only_the_wait_for_the_gateway(string content)
    {
        await daemon.ConsumeAsync("shop/*");
        await daemon.DisposeAsync();
        await File.WriteAllTextAsync(CatalogFile(), content);

        daemon = await TestDaemon.StartAsync(host, gateway);

        await daemon.WaitForAsync(LocalApi.Consume, LocalJson.Default.ConsumeState, state => state.Services.Count == 2);
        using var log = await daemon.SendAsync(HttpMethod.Get, LocalApi.Logs);
        (await log.Content.ReadAsStringAsync()).ShouldContain("catalog.json can't be read and is left out");
    }

    [Fact]
    public async Task Pods_of_a_stateful_set_do_not_count_as_services()
    {
        gateway.Tell(new ServiceRecord("shop", "db", ServiceKind.Headless, [new ServicePort("", 5432, TransportProtocol.Tcp)], ["db-0", "db-1"]));
        await daemon.ConsumeAsync("shop/*");
        await daemon.WaitForAsync(LocalApi.Consume, LocalJson.Default.ConsumeState, now => now.Services.Count == 5);

        var space = (await daemon.GetAsync(LocalApi.Spaces, LocalJson.Default.SpaceList)).Spaces.ShouldHaveSingleItem();

        (space.Services, space.Consumed).ShouldBe((4, 3));
    }

    private string CatalogFile() => Directory.GetFiles(host.StateDirectory, "catalog.json", SearchOption.AllDirectories).ShouldHaveSingleItem();
}
