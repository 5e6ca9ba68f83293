using Fairlead.Linux.Tun.Packets;
using Fairlead.Platform.Capture;

namespace Fairlead.Tests.Linux.Tun.Flows;

/// <summary>Garbage, and packets that are nearly right, from both sides: nothing throws, and what is sent on is well-formed. Seeded, so that a failure can be had again.</summary>
public sealed class PacketFuzzTests
{
    private static readonly byte[][] Corpus =
    [
        Packet.Tcp(TunBed.App, 4000, TunBed.Service, 80, TcpFlags.Syn),
        Packet.Tcp(TunBed.App, 4000, TunBed.Service, 80, TcpFlags.Acknowledge, 5, 6, new byte[100]),
        Packet.Tcp(TunBed.App6, 4000, TunBed.Service6, 80, TcpFlags.Syn),
        Packet.Tcp(TunBed.Listener, TunBed.Port, "246.255.73.3", 1, TcpFlags.Acknowledge, 5, 6, 1, 2, 3),
        Packet.Tcp(TunBed.Listener6, TunBed.Port6, "fd46:6169:726c:6562::3", 2, TcpFlags.Fin),
        Packet.Udp(TunBed.App, 4000, TunBed.Service, 53, new byte[40]),
        Packet.Udp(TunBed.App6, 4000, TunBed.Service6, 53, new byte[40]),
        Packet.Echo(TunBed.App, TunBed.Service, 1, 2, new byte[30]),
        Packet.Echo(TunBed.App6, TunBed.Service6, 1, 2, new byte[30]),
        Packet.Ip(TunBed.App, TunBed.Service, 17, new byte[64], [131, 7, 4, 1, 2, 3, 4, 0], 0x2000),
        Packet.Ip(TunBed.App6, TunBed.Service6, 0, new byte[64], [60, 0, 5, 2, 0, 0, 1, 0, 43, 0, 1, 4, 0, 0, 0, 0, 44, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 1, 0, 0, 0, 9]),
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Nothing_a_packet_holds_makes_it_throw(int seed)
    {
        var random = new Random(seed);
        using var bed = new TunBed(capacity: 64);
        for (var round = 0; round < 20_000; round++)
        {
            bed.Now = round / 50;
            var frame = Next(random);
            if (random.Next(3) == 0)
            {
                bed.Tcp.FromKernel(frame, bed.Now);
            }
            else
            {
                bed.Side.Take(frame, bed.Now);
            }

            Answer(random, bed);
            Check(bed);
        }
    }

    private static byte[] Next(Random random)
    {
        byte[] frame;
        if (random.Next(10) == 0)
        {
            frame = new byte[random.Next(200)];
            random.NextBytes(frame);
            return frame;
        }

        frame = Packet.Frame(Corpus[random.Next(Corpus.Length)]);
        for (var flips = random.Next(4); flips > 0; flips--)
        {
            frame[random.Next(frame.Length)] = (byte)random.Next(256);
        }

        if (random.Next(4) == 0)
        {
            frame = frame[..random.Next(frame.Length)];
        }
        else if (frame.Length > 30 && frame[VirtioHeader.Size] >> 4 == 4 && random.Next(2) == 0)
        {
            // A right header checksum lets the rest be judged.
            var length = Math.Min((frame[VirtioHeader.Size] & 15) * 4, frame.Length - VirtioHeader.Size);
            var header = frame.AsSpan(VirtioHeader.Size, length);
            if (length >= 20)
            {
                header[10..12].Clear();
                var sum = Packet.Sum(header);
                (header[10], header[11]) = ((byte)(sum >> 8), (byte)sum);
            }
        }

        return frame;
    }

    private static void Answer(Random random, TunBed bed)
    {
        foreach (var connection in bed.Sink.Connections)
        {
            if (random.Next(2) == 0)
            {
                _ = connection.AcceptAsync(CancellationToken.None).AsTask();
            }
            else
            {
                connection.Refuse((CaptureRefusal)random.Next(4));
            }
        }

        bed.Sink.Connections.Clear();
        if (random.Next(50) == 0)
        {
            bed.Tcp.Sweep(bed.Now);
            bed.Side.Sweep(bed.Now);
        }
    }

    private static void Check(TunBed bed)
    {
        foreach (var frame in bed.Sink.Programs.Concat(bed.Sink.Kernel))
        {
            IpHeader.TryRead(frame.AsSpan(VirtioHeader.Size), out _, out _).ShouldBe(PacketFault.None);
        }

        foreach (var (_, data) in bed.Sink.Datagrams)
        {
            data.Length.ShouldBeLessThanOrEqualTo(65_507);
        }

        bed.Tcp.Count.ShouldBeLessThanOrEqualTo(64);
        bed.Sink.Programs.Clear();
        bed.Sink.Kernel.Clear();
        bed.Sink.Datagrams.Clear();
        bed.Sink.Echoes.Clear();
    }
}
