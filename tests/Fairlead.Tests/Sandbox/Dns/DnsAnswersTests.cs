using Fairlead.Dns.Messages;
using Fairlead.Sandbox.ApiServer.Storage;
using Fairlead.Sandbox.Dns;
using Fairlead.Sandbox.Network;
using Fairlead.Sandbox.Objects;

namespace Fairlead.Tests.Sandbox.Dns;

public sealed class DnsAnswersTests
{
    [Theory]
    [InlineData("web.shop.svc.cluster.local", DnsType.A, "A 10.96.0.7")]
    [InlineData("WEB.Shop.svc.cluster.local", DnsType.A, "A 10.96.0.7")]
    [InlineData("web.shop.svc.cluster.local", DnsType.Aaaa, "NODATA")]
    [InlineData("_http._tcp.web.shop.svc.cluster.local", DnsType.Srv, "SRV 80 web.shop.svc.cluster.local")]
    [InlineData("_http._udp.web.shop.svc.cluster.local", DnsType.Srv, "NXDOMAIN")]
    [InlineData("pod.web.shop.svc.cluster.local", DnsType.A, "NXDOMAIN")]
    [InlineData("db.shop.svc.cluster.local", DnsType.A, "A 10.244.0.2, A 10.244.0.3")]
    [InlineData("db-0.db.shop.svc.cluster.local", DnsType.A, "A 10.244.0.2")]
    [InlineData("10-244-0-3.db.shop.svc.cluster.local", DnsType.A, "A 10.244.0.3")]
    [InlineData("db-9.db.shop.svc.cluster.local", DnsType.A, "NXDOMAIN")]
    [InlineData("_sql._tcp.db.shop.svc.cluster.local", DnsType.Srv, "SRV 5432 db-0.db.shop.svc.cluster.local, SRV 5432 10-244-0-3.db.shop.svc.cluster.local")]
    [InlineData("outside.shop.svc.cluster.local", DnsType.A, "CNAME example.com")]
    [InlineData("7.0.96.10.in-addr.arpa", DnsType.Ptr, "PTR web.shop.svc.cluster.local")]
    [InlineData("2.0.244.10.in-addr.arpa", DnsType.Ptr, "PTR db-0.db.shop.svc.cluster.local")]
    [InlineData("4.0.244.10.in-addr.arpa", DnsType.Ptr, "NXDOMAIN")]
    [InlineData("10-244-0-2.shop.pod.cluster.local", DnsType.A, "A 10.244.0.2")]
    [InlineData("shop.svc.cluster.local", DnsType.A, "NODATA")]
    [InlineData("svc.cluster.local", DnsType.A, "NODATA")]
    [InlineData("nowhere.svc.cluster.local", DnsType.A, "NXDOMAIN")]
    [InlineData("web.other.svc.cluster.local", DnsType.A, "NXDOMAIN")]
    [InlineData("example.com", DnsType.A, "NXDOMAIN")]
    public async Task Name_is_answered_as_the_specification_says(string name, DnsType type, string expected)
    {
        var answers = new DnsAnswers(await IndexAsync());
        var query = DnsMessage.Query(1, DnsName.Parse(name), type);

        Text(answers.Answer(query, query.Questions[0])).ShouldBe(expected);
    }

    private static string Text(DnsMessage message) => message switch
    {
        { ResponseCode: DnsResponseCode.NameError } => "NXDOMAIN",
        { Answers.Count: 0 } => "NODATA",
        _ => string.Join(", ", message.Answers.Select(record => record.Data switch
        {
            AddressData address => $"A {address.Value}",
            ServiceData service => $"SRV {service.Port} {service.Target}",
            NameData target => $"{(record.Type == DnsType.CName ? "CNAME" : "PTR")} {target.Value}",
            _ => record.Type.ToString(),
        })),
    };

    private static async Task<ServiceIndex> IndexAsync()
    {
        var store = new ObjectStore();
        store.Create(Kinds.Services, Manifest.Service("web", """{"clusterIP":"10.96.0.7","ports":[{"name":"http","port":80}]}"""));
        store.Create(Kinds.Services, Manifest.Service("db", """{"clusterIP":"None","ports":[{"name":"sql","port":5432}]}"""));
        store.Create(Kinds.Services, Manifest.Service("outside", """{"type":"ExternalName","externalName":"example.com"}"""));
        store.Create(Kinds.EndpointSlices, Manifest.Slice(
            "db",
            """[{"addresses":["10.244.0.2"],"hostname":"db-0"},{"addresses":["10.244.0.3"]},{"addresses":["10.244.0.4"],"conditions":{"ready":false}}]""",
            """[{"name":"sql","protocol":"TCP","port":5432}]"""));
        var index = new ServiceIndex(store);
        using var stop = new CancellationTokenSource();
        var running = index.RunAsync(stop.Token);
        await index.Synced;
        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(running);
        return index;
    }
}
