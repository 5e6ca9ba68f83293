using Fairlead.Contracts.Cluster;
using Fairlead.Dns.Client;
using Fairlead.Dns.Messages;
using Fairlead.Gateway.Cluster;
using Fairlead.Gateway.Dns;
using Fairlead.Gateway.Policy;
using Fairlead.Tunnel;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Gateway.Dns;

public sealed class DnsForwarderTests
{
    private static readonly PeerIdentity Alice = new("invite:alice", default, default);

    [Theory]
    [InlineData("frontend.shop.svc.cluster.local", true)]
    [InlineData("FRONTEND.Shop.SVC.cluster.local", true)]
    [InlineData("_http._tcp.frontend.shop.svc.cluster.local", true)]
    [InlineData("pg-0.frontend.shop.svc.cluster.local", true)]
    [InlineData("frontend.other.svc.cluster.local", false)]
    [InlineData("frontend.shop.svc.other.local", false)]
    [InlineData("shop.svc.cluster.local", false)]
    [InlineData("svc.cluster.local", false)]
    [InlineData("cluster.local", false)]
    [InlineData("10-244-0-5.shop.pod.cluster.local", false)]
    [InlineData("example.com", false)]
    [InlineData("5.0.244.10.in-addr.arpa", false)]
    [InlineData("7.0.96.10.in-addr.arpa", true)]
    [InlineData(".", false)]
    public void Refusal_only_names_of_granted_services_pass(string name, bool granted) =>
        (Forwarder(World.Grant("shop")).Refusal(World.Grant("shop"), DnsName.Parse(name)) is null).ShouldBe(granted);

    [Fact]
    public void Refusal_foreign_names_pass_with_the_dns_verb()
    {
        var rights = World.Grant(new GrantRule(["*"], ["*"], ["dns"]));
        Forwarder(rights).Refusal(rights, DnsName.Parse("example.com")).ShouldBeNull();
        Forwarder(rights).Refusal(rights, DnsName.Parse("frontend.shop.svc.cluster.local")).ShouldNotBeNull();
    }

    [Fact]
    public async Task Answer_refused_name_is_an_answer_that_says_refused()
    {
        var query = DnsMessage.Query(77, DnsName.Parse("example.com"), DnsType.A).ToArray();
        var answer = DnsMessage.Parse(await Forwarder(World.Grant("shop")).AnswerAsync(Alice, query, default));
        (answer.Id, answer.ResponseCode).ShouldBe(((ushort)77, DnsResponseCode.Refused));
    }

    [Fact]
    public async Task Answer_what_is_no_query_is_an_error()
    {
        var forwarder = Forwarder(World.Grant("shop"));
        var reply = DnsMessage.Query(1, DnsName.Parse("a.shop.svc.cluster.local"), DnsType.A).Reply(DnsResponseCode.NoError).ToArray();
        await Should.ThrowAsync<DnsFormatException>(forwarder.AnswerAsync(Alice, reply, default));
        await Should.ThrowAsync<DnsFormatException>(forwarder.AnswerAsync(Alice, new byte[5], default));
    }

    [Fact]
    public void Resolver_configuration_of_a_pod_names_server_and_domain()
    {
        var read = ResolverConfiguration.Parse(["# kubelet", "search fairlead.svc.k8s.corp svc.k8s.corp k8s.corp", "nameserver 10.96.0.10", "options ndots:5"]);
        (read.Server!.ToString(), read.ClusterDomain).ShouldBe(("10.96.0.10:53", "k8s.corp"));
        ResolverConfiguration.Parse([]).ShouldBe(new ResolverConfiguration(null, "cluster.local"));
    }

    private static DnsForwarder Forwarder(Rights rights) => new(null, "cluster.local", new ObjectKey("fairlead", "fairlead-gateway"), (_, address) => address.ToString() == "10.96.0.7", _ => rights, new DnsClient(), NullLogger<DnsForwarder>.Instance);
}
