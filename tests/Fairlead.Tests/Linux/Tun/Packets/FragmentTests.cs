using System.Net;
using Fairlead.Linux.Tun.Packets;

namespace Fairlead.Tests.Linux.Tun.Packets;

public sealed class FragmentTests : IDisposable
{
    private readonly List<byte[]> expired = [];
    private readonly Reassembly reassembly;

    public FragmentTests() => reassembly = new Reassembly(first => expired.Add(first.ToArray()));

    public static TheoryData<string, string> Families => new() { { "10.0.0.1", "10.0.0.2" }, { "fd00::1", "fd00::2" } };

    public void Dispose() => reassembly.Dispose();

    [Theory]
    [MemberData(nameof(Families))]
    public void Message_comes_together_in_any_order(string source, string destination)
    {
        foreach (var length in new[] { 1481, 8 + 4000, 8 + 65_507 })
        {
            var fragments = Cut(source, destination, length, 1500, (uint)length);
            fragments.Count.ShouldBeGreaterThan(1);
            fragments.ShouldAllBe(fragment => fragment.Length <= 1500);
            new Random(length).Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(fragments));
            byte[] whole = [];
            for (var i = 0; i < fragments.Count; i++)
            {
                whole.ShouldBeEmpty();
                whole = Add(fragments[i]);
            }

            IpHeader.TryRead(whole.AsSpan(VirtioHeader.Size), out var ip, out _).ShouldBe(PacketFault.None);
            (ip.IsFragment, ip.Protocol, ip.PayloadLength).ShouldBe((false, IpHeader.Udp, length));
            whole[(VirtioHeader.Size + ip.Transport)..].ShouldBe(Message(length));
            reassembly.Count.ShouldBe(0);
        }
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Message_that_fits_is_one_packet(string source, string destination)
    {
        var packet = Cut(source, destination, 1400, 1500, 1).ShouldHaveSingleItem();
        IpHeader.TryRead(packet, out var ip, out _).ShouldBe(PacketFault.None);
        (ip.IsFragment, ip.PayloadLength).ShouldBe((false, 1400));
    }

    [Fact]
    public void Duplicates_do_no_harm_and_overlaps_drop_all()
    {
        var fragments = Cut("10.0.0.1", "10.0.0.2", 3000, 1500, 1);
        Add(fragments[0]).ShouldBeEmpty();
        Add(fragments[0]).ShouldBeEmpty();
        Add(fragments[1]).ShouldBeEmpty();
        var overlapping = Packet.Ip("10.0.0.1", "10.0.0.2", 17, new byte[64], fragment: 0x2000 | 10, identification: 1);
        Add(overlapping).ShouldBeEmpty();
        reassembly.Count.ShouldBe(0);
        Add(fragments[2]).ShouldBeEmpty();
    }

    [Fact]
    public void Fragments_that_can_not_be_are_not_kept()
    {
        Add(Packet.Ip("10.0.0.1", "10.0.0.2", 17, new byte[7], fragment: 0x2000)).ShouldBeEmpty();
        Add(Packet.Ip("10.0.0.1", "10.0.0.2", 17, new byte[80], fragment: 0x1fff)).ShouldBeEmpty();
        Add(Packet.Ip("10.0.0.1", "10.0.0.2", 17, [], fragment: 0x2000)).ShouldBeEmpty();
        reassembly.Count.ShouldBe(0);
        Add(Packet.Ip("10.0.0.1", "10.0.0.2", 17, new byte[8], fragment: 2)).ShouldBeEmpty();
        Add(Packet.Ip("10.0.0.1", "10.0.0.2", 17, new byte[8], fragment: 0x2000 | 9)).ShouldBeEmpty();
        reassembly.Count.ShouldBe(0);
    }

    [Fact]
    public void Number_is_bounded_and_the_oldest_goes()
    {
        for (ushort id = 0; id < 3 * Reassembly.MaxPackets; id++)
        {
            Add(Packet.Ip("10.0.0.1", "10.0.0.2", 17, new byte[8], fragment: 0x2000, identification: id));
        }

        reassembly.Count.ShouldBe(Reassembly.MaxPackets);
        Add(Packet.Ip("10.0.0.1", "10.0.0.2", 17, new byte[8], fragment: 1, identification: 3 * Reassembly.MaxPackets - 1)).ShouldNotBeEmpty();
    }

    [Fact]
    public void Incomplete_packet_expires_and_its_sender_is_told_only_if_its_beginning_came()
    {
        Add(Packet.Ip("10.0.0.1", "10.0.0.2", 17, new byte[8], fragment: 0x2000, identification: 1), 5);
        Add(Packet.Ip("10.0.0.1", "10.0.0.2", 17, new byte[8], fragment: 1, identification: 2), 5);
        reassembly.Sweep(5 + Reassembly.Lifetime - 1);
        reassembly.Count.ShouldBe(2);
        reassembly.Sweep(5 + Reassembly.Lifetime);
        reassembly.Count.ShouldBe(0);
        expired.ShouldHaveSingleItem().Length.ShouldBe(28);
    }

    private static byte[] Message(int length)
    {
        var message = new byte[length];
        new Random(length).NextBytes(message);
        return message;
    }

    private static List<byte[]> Cut(string source, string destination, int length, int mtu, uint id)
    {
        var message = Message(length);
        var cursor = new FragmentCursor(Ip.FromAddress(IPAddress.Parse(source)), Ip.FromAddress(IPAddress.Parse(destination)), IpHeader.Udp, length, mtu, id);
        var header = new byte[FragmentCursor.MaxHeader];
        List<byte[]> packets = [];
        while (cursor.Next(header, out var headerLength, out var at, out var count))
        {
            packets.Add([.. header[VirtioHeader.Size..headerLength], .. message[at..(at + count)]]);
        }

        return packets;
    }

    private byte[] Add(byte[] fragment, int now = 0)
    {
        IpHeader.TryRead(fragment, out var ip, out _).ShouldBe(PacketFault.None);
        ip.IsFragment.ShouldBeTrue();
        return reassembly.Add(fragment, ip, now).ToArray();
    }
}
