using System.Net;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Daemon;
using Fairlead.Daemon.Names.Dns;
using Fairlead.Daemon.Spaces;
using Fairlead.Dns.Client;
using Fairlead.Dns.Messages;
using Fairlead.Tests.Daemon.Fakes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Daemon.Names.Dns;

/// <summary>Addresses of 10.96.0.0/16 and fd00:96::/32 are reached by others (246.246.0.0/16, fd00:246::/32) here, all else not.</summary>
public sealed class SpaceDnsTests : IAsyncLifetime
{
    private const ushort Mandatory = 0;
    private const ushort Alpn = 1;
    private const ushort IPv4Hint = 4;
    private const ushort IPv6Hint = 6;

    private static readonly DnsName Name = DnsName.Parse("web.shop.svc.cluster.local");

    private readonly string directory = Directory.CreateTempSubdirectory("fairlead-").FullName;
    private readonly ManualTime time = new();
    private readonly FakeGateway gateway = new();
    private Space space = null!;
    private SpaceDns dns = null!;

    public async ValueTask InitializeAsync()
    {
        gateway.Now = time.GetUtcNow();
        var token = JoinToken.Parse(gateway.Token());
        using var client = gateway.CreateBootstrap(token);
        var enrolled = await Enrolment.JoinAsync(client, token, time, CancellationToken.None);
        var record = new SpaceRecord("team", gateway.Uid, 0, "invite:alice", "cluster.local", token.Endpoints, enrolled.Response.Authority, enrolled.Response.RenewAfter);
        space = new Space(new StoredSpace(record, enrolled.Certificate, SpaceSettings.None, []), null, new SpaceStore(directory, NullLogger.Instance), gateway, new FakeCompanions(time), new Signal(), time, NullLoggerFactory.Instance);
        dns = new SpaceDns(space, ToLocal);
    }

    public async ValueTask DisposeAsync()
    {
        await space.DisposeAsync();
        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public void Addresses_become_those_that_are_reached_here_and_others_are_left_out()
    {
        DnsRecord[] records = [Address("10.96.3.7"), Address("192.0.2.1"), Address("fd00:96::7"), Alias];
        dns.ToLocal(records).ShouldBe([Address("246.246.3.7"), Address("fd00:246::7"), Alias]);
    }

    [Fact]
    public void Hints_of_service_bindings_are_translated_one_by_one()
    {
        var binding = Binding((Alpn, [2, (byte)'h', (byte)'2']), (IPv4Hint, Octets("10.96.0.1", "192.0.2.1", "10.96.0.2")), (IPv6Hint, Octets("fd00:96::1")));
        dns.ToLocal([binding]).ShouldBe([Binding((Alpn, [2, (byte)'h', (byte)'2']), (IPv4Hint, Octets("246.246.0.1", "246.246.0.2")), (IPv6Hint, Octets("fd00:246::1")))]);
    }

    [Fact]
    public void Hints_that_lead_nowhere_here_or_are_cut_are_left_out_and_the_rest_of_the_record_stays()
    {
        dns.ToLocal([Binding((Alpn, []), (IPv4Hint, Octets("192.0.2.1")), (IPv6Hint, [1, 2, 3]))]).ShouldBe([Binding((Alpn, []))]);
    }

    /// <summary>RFC 9460 §8: a record without a key that it calls mandatory is malformed.</summary>
    [Theory]
    [InlineData("192.0.2.1", 0)]
    [InlineData("10.96.0.1", 1)]
    public void Record_whose_hints_are_mandatory_goes_with_them(string hint, int records) =>
        dns.ToLocal([Binding((Mandatory, [0, (byte)Alpn, 0, (byte)IPv4Hint]), (Alpn, []), (IPv4Hint, Octets(hint)))]).Count.ShouldBe(records);

    [Fact]
    public async Task Gateway_that_gives_no_answer_is_no_denial()
    {
        gateway.Unreachable = new FairleadException(ErrorCategory.NotConnected, "gateway-unreachable", "It does not answer");
        (await Should.ThrowAsync<DnsExchangeException>(() => dns.AskAsync(DnsMessage.Query(1, Name, DnsType.Txt), CancellationToken.None))).Message.ShouldContain("space team");
    }

    private static DnsRecord Alias => new(Name, DnsType.CName, 5, new NameData(DnsName.Parse("other.shop.svc.cluster.local")));

    private static DnsRecord Address(string address) => DnsRecord.Address(Name, 5, IPAddress.Parse(address));

    private static DnsRecord Binding(params (ushort Key, byte[] Value)[] parameters) => new(
        Name, DnsType.Https, 5, new ServiceBindingData(1, DnsName.Root, [.. parameters.Select(p => new KeyValuePair<ushort, ReadOnlyMemory<byte>>(p.Key, p.Value))]));

    private static byte[] Octets(params string[] addresses) => [.. addresses.SelectMany(address => IPAddress.Parse(address).GetAddressBytes())];

    private static IPAddress? ToLocal(IPAddress real)
    {
        var octets = real.GetAddressBytes();
        return octets switch
        {
            [10, 96, var third, var last] => new IPAddress([246, 246, third, last]),
            [0xfd, 0, 0, 0x96, ..] => new IPAddress([0xfd, 0, 2, 0x46, .. octets[4..]]),
            _ => null,
        };
    }
}
