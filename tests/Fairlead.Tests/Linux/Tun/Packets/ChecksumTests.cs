using System.Buffers.Binary;
using Fairlead.Linux.Tun.Packets;

namespace Fairlead.Tests.Linux.Tun.Packets;

public sealed class ChecksumTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(20)]
    [InlineData(1501)]
    [InlineData(65535)]
    public void Sum_is_that_of_the_book(int length)
    {
        var data = new byte[length];
        new Random(length).NextBytes(data);
        OnTheWire((ushort)~Checksum.Fold(Checksum.Add(0, data))).ShouldBe(Packet.Sum(data));
    }

    [Fact]
    public void Sum_of_nothing_but_ones_does_not_overflow()
    {
        var data = new byte[65534];
        Array.Fill(data, (byte)0xff);
        Checksum.Fold(Checksum.Add(0, data)).ShouldBe((ushort)0xffff);
    }

    /// <summary>RFC 1624 §4, and what one would do without it.</summary>
    [Fact]
    public void Update_equals_a_new_sum()
    {
        var random = new Random(1624);
        var data = new byte[40];
        for (var round = 0; round < 1000; round++)
        {
            random.NextBytes(data);
            if (round % 10 == 0)
            {
                data.AsSpan(0, 8).Fill((byte)(round % 20 == 0 ? 0 : 0xff));
            }

            var checksum = (ushort)~Checksum.Fold(Checksum.Add(0, data));
            var before = Checksum.Add(0, data.AsSpan(0, 8));
            random.NextBytes(data.AsSpan(0, 8));
            Checksum.Update(checksum, Checksum.Without(before) + Checksum.Add(0, data.AsSpan(0, 8))).ShouldBe((ushort)~Checksum.Fold(Checksum.Add(0, data)));
        }
    }

    private static ushort OnTheWire(ushort checksum)
    {
        Span<byte> field = stackalloc byte[2];
        Checksum.Write(field, checksum);
        return BinaryPrimitives.ReadUInt16BigEndian(field);
    }
}
