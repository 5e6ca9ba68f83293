using System.Net;
using Fairlead.Dns;
using Fairlead.Dns.Client;
using Fairlead.Dns.Forwarding;
using Fairlead.Dns.Messages;
using Fairlead.Dns.Server;
using Fairlead.Dns.Zones;

namespace Fairlead.Tests.Dns;

public sealed class SplitHandlerTests : IAsyncLifetime
{
    private static readonly IPAddress Address = IPAddress.Parse("127.72.0.9");
    private readonly FakeClusterDns cluster = new();
    private readonly List<DnsQuestion> forwarded = [];
    private readonly Forwarder forwarder;
    private readonly SplitHandler handler;
    private Func<DnsMessage, DnsMessage> upstream = query => query.Reply(DnsResponseCode.NameError);

    public SplitHandlerTests()
    {
        forwarder = new Forwarder(ask: (_, query, _) =>
        {
            forwarded.Add(query.Questions[0]);
            return Task.FromResult(upstream(query));
        })
        { Servers = [new IPEndPoint(IPAddress.Loopback, 53)] };
        var fqdn = Name("frontend.shop.svc.cluster.local");
        var zone = new Zone(
            [
                new ZoneName(Name("frontend.shop"), [Address]) { Cluster = cluster, ClusterName = fqdn, Ports = [new("http", false, 80), new("", false, 81)] },
                new ZoneName(fqdn, [Address]) { Cluster = cluster, ClusterName = fqdn, Ports = [new("http", false, 80)], Endpoints = [Name("a.frontend.shop.svc.cluster.local"), Name("b.frontend.shop.svc.cluster.local")] },
                new ZoneName(Name("9.0.72.127.in-addr.arpa"), []) { Pointer = fqdn, Cluster = cluster },
                new ZoneName(Name("db"), []) { Alias = Name("frontend.shop") },
                new ZoneName(Name("site"), []) { Alias = Name("www.example.com") },
                new ZoneName(Name("circle"), []) { Alias = Name("circle") },
                new ZoneName(Name("api.excluded.dev"), [Address]) { Cluster = cluster },
            ],
            [
                new ZoneSuffix(Name("svc.cluster.local"), SuffixUse.Owned, cluster),
                new ZoneSuffix(Name("cluster.local"), SuffixUse.Owned, cluster),
                new ZoneSuffix(Name("72.127.in-addr.arpa"), SuffixUse.Owned),
                new ZoneSuffix(Name("shop"), SuffixUse.Fleeting),
                new ZoneSuffix(Name("corp.internal"), SuffixUse.Cluster, cluster),
                new ZoneSuffix(Name("public.corp.internal"), SuffixUse.Excluded),
                new ZoneSuffix(Name("excluded.dev"), SuffixUse.Excluded),
            ]);
        handler = new SplitHandler(() => zone, forwarder);
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => forwarder.DisposeAsync();

    [Fact]
    public async Task Family_that_a_name_does_not_have_is_empty()
    {
        (await AskAsync("frontend.shop", DnsType.A)).Answers.ShouldHaveSingleItem().Data.ShouldBe(new AddressData(Address));
        var other = await AskAsync("frontend.shop", DnsType.Aaaa);
        (other.ResponseCode, other.Answers.Count).ShouldBe((DnsResponseCode.NoError, 0));
        cluster.Asked.ShouldBeEmpty();
    }

    [Fact]
    public async Task Ports_are_told_at_the_name_and_below_it()
    {
        (await AskAsync("_http._tcp.frontend.shop", DnsType.Srv)).Answers.ShouldHaveSingleItem().Data.ShouldBe(new ServiceData(0, 100, 80, Name("frontend.shop")));
        (await AskAsync("_HTTP._tcp.frontend.shop.svc.cluster.local", DnsType.Srv)).Answers.Select(record => ((ServiceData)record.Data).Target.ToString())
            .ShouldBe(["a.frontend.shop.svc.cluster.local", "b.frontend.shop.svc.cluster.local"]);
        (await AskAsync("frontend.shop", DnsType.Srv)).Answers.Count.ShouldBe(1);
        (await AskAsync("_http._udp.frontend.shop.svc.cluster.local", DnsType.Srv)).ResponseCode.ShouldBe(DnsResponseCode.NameError);
    }

    [Fact]
    public async Task Address_has_its_name_and_others_of_the_range_have_none()
    {
        (await AskAsync("9.0.72.127.in-addr.arpa", DnsType.Ptr)).Answers.ShouldHaveSingleItem().Data.ShouldBe(new NameData(Name("frontend.shop.svc.cluster.local")));
        (await AskAsync("10.0.72.127.in-addr.arpa", DnsType.Ptr)).ResponseCode.ShouldBe(DnsResponseCode.NameError);
        forwarded.ShouldBeEmpty();
    }

    [Fact]
    public async Task Unknown_name_of_the_cluster_is_denied_so_that_nobody_keeps_it()
    {
        var answer = await AskAsync("missing.shop.svc.cluster.local", DnsType.A);
        (answer.ResponseCode, answer.Authorities.Count).ShouldBe((DnsResponseCode.NameError, 0));
        forwarded.ShouldBeEmpty();

        // What is above names that exist does so, too (RFC 8020).
        (await AskAsync("shop.svc.cluster.local", DnsType.A)).ResponseCode.ShouldBe(DnsResponseCode.NoError);
        (await AskAsync("cluster.local", DnsType.A)).ResponseCode.ShouldBe(DnsResponseCode.NoError);
    }

    [Theory]
    [InlineData("frontend.shop", DnsType.A)]
    [InlineData("frontend.shop", DnsType.Txt)]
    [InlineData("missing.shop.svc.cluster.local", DnsType.A)]
    [InlineData("_http._tcp.frontend.shop", DnsType.Srv)]
    [InlineData("any.corp.internal", DnsType.A)]
    [InlineData("db", DnsType.A)]
    public async Task Cluster_out_of_reach_fails_and_never_denies(string name, DnsType type)
    {
        cluster.IsUp = false;
        (await AskAsync(name, type)).ResponseCode.ShouldBe(DnsResponseCode.ServerFailure);
        (cluster.Asked.Count, forwarded.Count).ShouldBe((0, 0));
    }

    [Fact]
    public async Task Other_types_are_asked_of_the_cluster_by_the_name_that_it_knows()
    {
        cluster.Answer = query => query.Reply(DnsResponseCode.NoError, [new DnsRecord(query.Questions[0].Name, DnsType.Txt, 600, new TextData(["x"u8.ToArray()]))]);
        var record = (await AskAsync("Frontend.Shop", DnsType.Txt)).Answers.ShouldHaveSingleItem();
        (record.Name.ToString(), record.TimeToLive).ShouldBe(("Frontend.Shop", 30u));
        cluster.Asked.ShouldHaveSingleItem().Name.ToString().ShouldBe("frontend.shop.svc.cluster.local");

        cluster.Answer = _ => null;
        (await AskAsync("frontend.shop", DnsType.Txt)).ResponseCode.ShouldBe(DnsResponseCode.ServerFailure);
    }

    [Fact]
    public async Task Included_suffix_is_asked_of_the_cluster_and_its_addresses_are_translated()
    {
        cluster.Answer = query => query.Reply(DnsResponseCode.NoError, [DnsRecord.Address(query.Questions[0].Name, 5, IPAddress.Parse("10.96.3.7")), DnsRecord.Address(query.Questions[0].Name, 5, IPAddress.Parse("10.1.1.1"))]);
        (await AskAsync("db.corp.internal", DnsType.A)).Answers.ShouldHaveSingleItem().Data.ShouldBe(new AddressData(IPAddress.Parse("246.246.3.7")));
        forwarded.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("x.public.corp.internal")]
    [InlineData("api.excluded.dev")]
    [InlineData("www.example.com")]
    public async Task Excluded_suffixes_and_all_else_are_asked_of_the_hosts_own_servers(string name)
    {
        upstream = query => query.Reply(DnsResponseCode.NoError, [DnsRecord.Address(query.Questions[0].Name, 60, IPAddress.Parse("192.0.2.1"))]);
        (await AskAsync(name, DnsType.A)).Answers.ShouldHaveSingleItem().Data.ShouldBe(new AddressData(IPAddress.Parse("192.0.2.1")));
        cluster.Asked.ShouldBeEmpty();
    }

    [Fact]
    public async Task Denial_beside_our_names_may_not_be_kept()
    {
        upstream = query => query.Reply(DnsResponseCode.NameError) with { Authorities = [new DnsRecord(DnsName.Root, DnsType.Soa, 86400, new AuthorityData(Name("a"), Name("b"), 1, 2, 3, 4, 86400))] };
        var answer = await AskAsync("missing.shop", DnsType.A);
        (answer.ResponseCode, answer.Authorities[0].TimeToLive).ShouldBe((DnsResponseCode.NameError, 0u));
        (await AskAsync("missing.example", DnsType.A)).Authorities[0].TimeToLive.ShouldBe(86400u);
    }

    [Fact]
    public async Task Mapped_name_leads_on_wherever_its_target_is()
    {
        (await AskAsync("db", DnsType.A)).Answers.Select(record => record.Type).ShouldBe([DnsType.CName, DnsType.A]);
        upstream = query => query.Reply(DnsResponseCode.NoError, [DnsRecord.Address(query.Questions[0].Name, 60, IPAddress.Parse("192.0.2.1"))]);
        (await AskAsync("site", DnsType.A)).Answers.Select(record => record.Type).ShouldBe([DnsType.CName, DnsType.A]);
        (await AskAsync("circle", DnsType.A)).ResponseCode.ShouldBe(DnsResponseCode.ServerFailure);
    }

    [Theory]
    [InlineData("wpad")]
    [InlineData("WPAD.example.com")]
    [InlineData("b._dns-sd._udp.example.com")]
    public async Task Names_that_look_for_services_of_the_network_stay_here(string name)
    {
        (await AskAsync(name, DnsType.Ptr)).ResponseCode.ShouldBe(DnsResponseCode.NameError);
        forwarded.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(DnsType.Axfr, DnsClass.Internet)]
    [InlineData(DnsType.Txt, (DnsClass)3)]
    public async Task Zone_transfers_and_other_classes_are_refused(DnsType type, DnsClass @class)
    {
        var query = DnsMessage.Query(1, Name("version.bind"), type) with { Questions = [new DnsQuestion(Name("version.bind"), type, @class)] };
        (await AskAsync(query)).ResponseCode.ShouldBe(DnsResponseCode.Refused);
    }

    private static DnsName Name(string text) => DnsName.Parse(text);

    private Task<DnsMessage> AskAsync(string name, DnsType type) => AskAsync(DnsMessage.Query(1, Name(name), type));

    private async Task<DnsMessage> AskAsync(DnsMessage query) =>
        (await handler.HandleAsync(new DnsQuery(query, query.ToArray(), new IPEndPoint(IPAddress.Loopback, 1), false), TestContext.Current.CancellationToken)).Message!;
}
