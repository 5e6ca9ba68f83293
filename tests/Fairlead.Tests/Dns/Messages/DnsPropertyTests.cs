using System.Net;
using Fairlead.Dns.Messages;
using FsCheck;
using FsCheck.Fluent;

namespace Fairlead.Tests.Dns.Messages;

public sealed class DnsPropertyTests
{
    private static readonly Gen<byte[]> Label = Gen.ArrayOf(ArbMap.Default.GeneratorFor<byte>(), 1)
        .SelectMany(first => Gen.Choose(0, 20).SelectMany(more => Gen.ArrayOf(ArbMap.Default.GeneratorFor<byte>(), more)).Select(rest => first.Concat(rest).ToArray()));

    private static readonly Gen<DnsName> Name = Gen.Choose(0, 8).SelectMany(count => Gen.ArrayOf(Label, count)).Select(labels =>
        DnsName.FromWire([.. labels.SelectMany(label => new[] { (byte)label.Length }.Concat(label)), 0]));

    private static readonly Gen<byte[]> Octets = Gen.Choose(0, 60).SelectMany(count => Gen.ArrayOf(ArbMap.Default.GeneratorFor<byte>(), count));

    private static readonly Gen<DnsRecord> Record =
        from name in Name
        from target in Name
        from octets in Octets
        from number in Gen.Choose(0, ushort.MaxValue)
        from kind in Gen.Choose(0, 7)
        select kind switch
        {
            0 => DnsRecord.Address(name, (uint)number, new IPAddress(number)),
            1 => new DnsRecord(name, DnsType.CName, (uint)number, new NameData(target)),
            2 => new DnsRecord(name, DnsType.Srv, 1, new ServiceData((ushort)number, 0, 1, target)),
            3 => new DnsRecord(name, DnsType.Txt, 1, new TextData([octets, octets])),
            4 => new DnsRecord(name, DnsType.MX, 1, new MailExchangeData((ushort)number, target)),
            5 => new DnsRecord(name, DnsType.Soa, 1, new AuthorityData(target, name, (uint)number, 1, 2, 3, 4)),
            6 => new DnsRecord(name, DnsType.Https, 1, new ServiceBindingData((ushort)number, target, [new(1, octets), new((ushort)(number | 2), octets)])),
            _ => new DnsRecord(name, (DnsType)(1000 + number % 1000), 1, new OpaqueData(octets)),
        };

    private static readonly Gen<DnsMessage> Message =
        from question in Name
        from counts in Gen.Three(Gen.Choose(0, 6))
        from answers in Gen.ListOf(Record, counts.Item1)
        from authorities in Gen.ListOf(Record, counts.Item2)
        from additionals in Gen.ListOf(Record, counts.Item3)
        from options in Octets
        select DnsMessage.Query((ushort)counts.Item1, question, DnsType.A) with
        {
            Answers = [.. answers],
            Authorities = [.. authorities],
            Additionals = [.. additionals],
            Edns = options.Length % 2 == 0 ? new DnsEdns(1232, 0, true, options) : null,
        };

    [Fact]
    public void Any_name_survives_its_text() =>
        Prop.ForAll(Name.ToArbitrary(), name => DnsName.Parse(name.ToString()).Wire.SequenceEqual(name.Wire)).QuickCheckThrowOnFailure();

    [Fact]
    public void Any_message_survives_the_wire() =>
        Prop.ForAll(Message.ToArbitrary(), message =>
        {
            var read = DnsMessage.Parse(message.ToArray());
            read.Questions.ShouldBe(message.Questions);
            read.Answers.ShouldBe(message.Answers);
            read.Authorities.ShouldBe(message.Authorities);
            read.Additionals.ShouldBe(message.Additionals);
            read.Edns.ShouldBe(message.Edns);
            read.ToArray().ShouldBe(message.ToArray());
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Damaged_message_is_read_or_refused_and_nothing_else()
    {
        var random = new System.Random(20261121);
        foreach (var message in Message.Sample(300))
        {
            var octets = message.ToArray();
            for (var round = 0; round < 10; round++)
            {
                var damaged = octets.AsSpan(0, random.Next(octets.Length + 1)).ToArray();
                for (var flips = random.Next(4); flips >= 0 && damaged.Length > 0; flips--)
                {
                    damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
                }

                try
                {
                    // What was read can be written: reading admits nothing that the model can't say.
                    var read = DnsMessage.Parse(damaged);
                    DnsMessage.Parse(read.ToArray()).Answers.ShouldBe(read.Answers);
                }
                catch (DnsFormatException)
                {
                }
            }
        }
    }

    [Fact]
    public void Noise_is_read_or_refused_and_nothing_else()
    {
        var random = new System.Random(1);
        var noise = new byte[600];
        for (var round = 0; round < 5000; round++)
        {
            random.NextBytes(noise);
            noise.AsSpan(4, 8).Clear();
            noise[5 + 2 * random.Next(4)] = (byte)random.Next(5);
            try
            {
                DnsMessage.Parse(noise.AsSpan(0, random.Next(noise.Length)));
            }
            catch (DnsFormatException)
            {
            }
        }
    }
}
