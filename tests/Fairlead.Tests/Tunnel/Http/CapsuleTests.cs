using Fairlead.Tunnel.Http;

namespace Fairlead.Tests.Tunnel.Http;

public sealed class CapsuleTests
{
    [Theory]
    [InlineData(CapsuleType.Datagram, 0)]
    [InlineData(CapsuleType.Data, 262_140)]
    [InlineData(CapsuleType.FinalData, 1)]
    [InlineData(CapsuleType.Abort, 1024)]
    public void Header_written_and_parsed_is_the_same(ulong type, ulong length)
    {
        var bytes = new byte[CapsuleHeader.FixedSize];
        new CapsuleHeader(type, length).WriteFixed(bytes);
        CapsuleHeader.TryParse(bytes, out var parsed, out _).ShouldBeTrue();
        parsed.ShouldBe(new CapsuleHeader(type, length));
    }

    [Theory]
    [InlineData(new byte[] { 0x00, 0x25 }, 0, 37)]
    [InlineData(new byte[] { 0x7b, 0xbd, 0x40, 0x25 }, 15293, 37)]
    [InlineData(new byte[] { 0x9d, 0x7f, 0x3e, 0x7d, 0x00 }, 494_878_333, 0)]
    [InlineData(new byte[] { 0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c, 0x01 }, 151_288_809_941_952_652, 1)]
    public void Integers_of_every_length_parse_as_rfc_9000_says(byte[] bytes, ulong type, ulong length)
    {
        CapsuleHeader.TryParse(bytes, out var header, out _).ShouldBeTrue();
        header.ShouldBe(new CapsuleHeader(type, length));
    }

    [Fact]
    public void Header_read_as_far_as_it_asks_for_never_reads_beyond_its_end()
    {
        var random = new Random(9297);
        var bytes = new byte[CapsuleHeader.MaxSize];
        for (var round = 0; round < 20_000; round++)
        {
            random.NextBytes(bytes);
            var type = 1 << (bytes[0] >> 6);
            var size = type + (1 << (bytes[type] >> 6));
            var have = 0;
            while (!CapsuleHeader.TryParse(bytes.AsSpan(0, have), out _, out var missing))
            {
                missing.ShouldBeGreaterThan(0);
                have += missing;
                have.ShouldBeLessThanOrEqualTo(size);
            }

            have.ShouldBe(size);
        }
    }
}
