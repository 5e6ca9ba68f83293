using System.Net;
using System.Text;
using Fairlead.Dns.Messages;

namespace Fairlead.Tests.Dns.Messages;

public sealed class DnsMessageTests
{
    private static readonly DnsName Name = DnsName.Parse("FrontEnd.shop.svc.cluster.local");

    public static TheoryData<DnsRecord> EveryType => new(
        DnsRecord.Address(Name, 5, IPAddress.Parse("10.96.0.10")),
        DnsRecord.Address(Name, 5, IPAddress.Parse("fd00::1")),
        new DnsRecord(Name, DnsType.CName, 5, new NameData(DnsName.Parse("other.shop.svc.cluster.local"))),
        new DnsRecord(Name, DnsType.NS, 5, new NameData(DnsName.Parse("ns.cluster.local"))),
        new DnsRecord(Name, DnsType.Ptr, 5, new NameData(DnsName.Root)),
        new DnsRecord(Name, DnsType.MX, 5, new MailExchangeData(10, DnsName.Parse("mail.shop.svc.cluster.local"))),
        new DnsRecord(Name, DnsType.Srv, 5, new ServiceData(1, 2, 8080, Name)),
        new DnsRecord(Name, DnsType.Soa, 5, new AuthorityData(DnsName.Parse("ns.cluster.local"), DnsName.Parse("hostmaster.cluster.local"), 1, 2, 3, 4, uint.MaxValue)),
        new DnsRecord(Name, DnsType.Txt, 5, new TextData([Encoding.UTF8.GetBytes("a=b"), ReadOnlyMemory<byte>.Empty, new byte[255]])),
        new DnsRecord(Name, DnsType.Https, 5, new ServiceBindingData(1, DnsName.Root, [new(1, new byte[] { 2, (byte)'h', (byte)'2' }), new(3, new byte[] { 1, 187 })])),
        new DnsRecord(Name, (DnsType)65280, int.MaxValue, new OpaqueData(new byte[] { 0xc0, 0x0c, 1 })),
        new DnsRecord(Name, DnsType.A, 0, new OpaqueData(ReadOnlyMemory<byte>.Empty), DnsClass.Any));

    [Theory]
    [MemberData(nameof(EveryType))]
    public void Record_of_every_type_survives_the_wire(DnsRecord record)
    {
        var message = DnsMessage.Query(7, Name, record.Type).Reply(DnsResponseCode.NoError, [record, record], DnsFlags.Authoritative | DnsFlags.RecursionAvailable);
        var read = DnsMessage.Parse(message.ToArray());
        read.Answers.ShouldBe([record, record]);
        read.Answers[0].Name.ToString().ShouldBe(Name.ToString());
        read.Questions.ShouldBe(message.Questions);
        read.Flags.ShouldBe(DnsFlags.Response | DnsFlags.Authoritative | DnsFlags.RecursionAvailable | DnsFlags.RecursionDesired);
        read.Edns.ShouldBe(message.Edns);
    }

    [Theory]
    [MemberData(nameof(EveryType))]
    public void Message_cut_anywhere_is_malformed(DnsRecord record)
    {
        var whole = new DnsMessage { Questions = [new DnsQuestion(Name, record.Type)], Answers = [record] }.ToArray();
        for (var length = 0; length < whole.Length; length++)
        {
            Should.Throw<DnsFormatException>(() => DnsMessage.Parse(whole.AsSpan(0, length)), $"cut at {length}");
        }
    }

    [Fact]
    public void Header_bits_are_where_rfc_1035_puts_them()
    {
        var octets = new DnsMessage
        {
            Id = 0x1234,
            Flags = DnsFlags.Response | DnsFlags.Authoritative | DnsFlags.Truncated | DnsFlags.RecursionDesired | DnsFlags.RecursionAvailable,
            Opcode = 2,
            ResponseCode = DnsResponseCode.NameError,
        }.ToArray();
        octets.ShouldBe([0x12, 0x34, 0x97, 0x83, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    [Fact]
    public void Repeated_names_become_pointers()
    {
        var message = DnsMessage.Query(1, Name, DnsType.A) with { Edns = null };
        var one = message.ToArray().Length;
        message.Reply(DnsResponseCode.NoError, [DnsRecord.Address(Name, 1, IPAddress.Loopback)]).ToArray().Length.ShouldBe(one + 2 + 10 + 4);
    }

    [Fact]
    public void Name_in_another_case_is_not_compressed_away()
    {
        var other = DnsName.Parse("frontend.SHOP.svc.cluster.local");
        var message = DnsMessage.Query(1, Name, DnsType.A).Reply(DnsResponseCode.NoError, [DnsRecord.Address(other, 1, IPAddress.Loopback)]);
        DnsMessage.Parse(message.ToArray()).Answers[0].Name.ToString().ShouldBe(other.ToString());
    }

    [Fact]
    public void Service_target_is_written_whole()
    {
        // RFC 2782: a name in SRV data is not compressed.
        var message = new DnsMessage { Answers = [new DnsRecord(Name, DnsType.Srv, 1, new ServiceData(0, 0, 1, Name))] };
        message.ToArray().Length.ShouldBe(12 + Name.Wire.Length + 10 + 6 + Name.Wire.Length);
    }

    [Fact]
    public void Extended_response_code_travels_in_edns()
    {
        var message = DnsMessage.Query(1, Name, DnsType.A).Reply(DnsResponseCode.BadVersion);
        DnsMessage.Parse(message.ToArray()).ResponseCode.ShouldBe(DnsResponseCode.BadVersion);
        Should.Throw<ArgumentException>(() => (message with { Edns = null }).ToArray());
    }

    [Fact]
    public void Edns_survives_the_wire()
    {
        var edns = new DnsEdns(4096, 1, DnssecOk: true, new byte[] { 0, 10, 0, 2, 1, 2 });
        DnsMessage.Parse(new DnsMessage { Edns = edns }.ToArray()).Edns.ShouldBe(edns);
    }

    [Fact]
    public void Data_of_another_type_is_refused_when_writing() =>
        Should.Throw<ArgumentException>(() => new DnsMessage { Answers = [new DnsRecord(Name, DnsType.A, 1, new NameData(Name))] }.ToArray());

    [Fact]
    public void Message_that_does_not_fit_says_so()
    {
        var message = DnsMessage.Query(1, Name, DnsType.A);
        var length = message.ToArray().Length;
        message.Write(new byte[length]).ShouldBe(length);
        for (var shorter = 0; shorter < length; shorter++)
        {
            message.Write(new byte[shorter]).ShouldBe(-1);
        }
    }

    [Fact]
    public void Long_answer_of_one_name_uses_pointers_and_reads_back()
    {
        var answers = Enumerable.Range(0, 4000).Select(i => DnsRecord.Address(Name, 1, new IPAddress(i))).ToList();
        var octets = DnsMessage.Query(1, Name, DnsType.A).Reply(DnsResponseCode.NoError, answers).ToArray();
        octets.Length.ShouldBeLessThan(4000 * 16 + 100);
        DnsMessage.Parse(octets).Answers.Count.ShouldBe(4000);
        Should.Throw<ArgumentException>(() => DnsMessage.Query(1, Name, DnsType.A).Reply(DnsResponseCode.NoError, [.. answers, .. answers]).ToArray());
    }

    [Theory]
    [InlineData("c00c", "to itself")]
    [InlineData("c00e", "forward")]
    [InlineData("c000", "into the header")]
    [InlineData("0161c00c", "to its own start")]
    [InlineData("40616200", "of an unknown label type")]
    [InlineData("80616200", "of an unknown label type")]
    public void Bad_pointer_is_refused(string name, string what)
    {
        var octets = Convert.FromHexString("000000000001000000000000" + name + "00010001");
        Should.Throw<DnsFormatException>(() => DnsMessage.Parse(octets), what);
    }

    [Fact]
    public void Pointers_that_make_a_name_too_long_are_refused()
    {
        // Five questions, each one label of 63 octets in front of the name before.
        var octets = new List<byte>(Convert.FromHexString("000000000005000000000000"));
        var previous = 0;
        for (var i = 0; i < 5; i++)
        {
            var start = octets.Count;
            octets.AddRange([63, .. Enumerable.Repeat((byte)'a', 63)]);
            octets.AddRange(i == 0 ? [0] : [(byte)(0xc0 | previous >> 8), (byte)previous]);
            octets.AddRange([0, 1, 0, 1]);
            previous = start;
        }

        Should.Throw<DnsFormatException>(() => DnsMessage.Parse(octets.ToArray()));
    }

    [Theory]
    [InlineData("000000000000000000000002 0000290200000000000000 0000290200000000000000", "two OPT records")]
    [InlineData("000000000000000000000001 016100 00290200000000000000", "OPT with an owner")]
    [InlineData("000000000000000100000000 0000290200000000000000", "OPT among the answers")]
    [InlineData("000000000000000100000000 00000100010000000000057f00000100", "A of five octets")]
    [InlineData("000000000000000100000000 0000010001000000000003 7f0000", "A of three octets")]
    [InlineData("000000000000000100000000 0000100001000000000000", "TXT without a string")]
    [InlineData("000000000000000100000000 00004100010000000000 0b 0001 00 0003 0000 0001 0000", "parameters out of order")]
    public void Malformed_record_is_refused(string hex, string what) =>
        Should.Throw<DnsFormatException>(() => DnsMessage.Parse(Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal))), what);

    [Fact]
    public void Counts_beyond_the_octets_allocate_nothing()
    {
        var octets = Convert.FromHexString("000000000000ffffffffffff");
        var before = GC.GetAllocatedBytesForCurrentThread();
        Should.Throw<DnsFormatException>(() => DnsMessage.Parse(octets));
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(100_000);
    }
}
