using System.Net;
using System.Net.Sockets;
using Fairlead.Linux.Tun.Flows;
using Fairlead.Linux.Tun.Packets;
using Fairlead.Platform.Capture;

namespace Fairlead.Tests.Linux.Tun.Flows;

public sealed class TcpTranslatorTests : IDisposable
{
    private readonly TunBed bed = new();

    public static TheoryData<string, string, string, int> Families => new()
    {
        { TunBed.App, TunBed.Service, TunBed.Listener, TunBed.Port },
        { TunBed.App6, TunBed.Service6, TunBed.Listener6, TunBed.Port6 },
    };

    public void Dispose() => bed.Dispose();

    [Fact]
    public void Syn_is_held_and_its_repetitions_are_one_connection()
    {
        for (var i = 0; i < 4; i++)
        {
            bed.FromProgram(Syn());
        }

        var connection = bed.Sink.Connections.ShouldHaveSingleItem();
        connection.Client.ShouldBe(IPEndPoint.Parse($"{TunBed.App}:4000"));
        connection.Destination.ShouldBe(IPEndPoint.Parse($"{TunBed.Service}:80"));
        bed.Sink.Kernel.ShouldBeEmpty();
        bed.Sink.Programs.ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Admitted_flow_is_translated_both_ways(string app, string service, string listener, int port)
    {
        bed.FromProgram(Packet.Tcp(app, 4000, service, 80, TcpFlags.Syn));
        var accepting = bed.Sink.Connections.Single().AcceptAsync(CancellationToken.None);
        var syn = bed.Sink.Kernel.ShouldHaveSingleItem()[VirtioHeader.Size..];
        Packet.IsRight(syn).ShouldBeTrue();
        var (peer, peerPort) = Source(syn);
        Destination(syn).ShouldBe((IPAddress.Parse(listener), port));

        bed.FromKernel(Packet.Tcp(listener, port, peer.ToString(), peerPort, TcpFlags.Syn | TcpFlags.Acknowledge));
        var answer = bed.Sink.Answer();
        Packet.IsRight(answer).ShouldBeTrue();
        Source(answer).ShouldBe((IPAddress.Parse(service), 80));
        Destination(answer).ShouldBe((IPAddress.Parse(app), 4000));

        bed.FromProgram(Packet.Tcp(app, 4000, service, 80, TcpFlags.Acknowledge, 1001, 1001, 1, 2, 3));
        Packet.IsRight(bed.Sink.Kernel[1].AsSpan(VirtioHeader.Size)).ShouldBeTrue();
        Source(bed.Sink.Kernel[1][VirtioHeader.Size..]).ShouldBe((peer, peerPort));
        bed.Tcp.Claim(new IPEndPoint(peer, peerPort)).ShouldBe(bed.Sink.Connections[0]);
        bed.Tcp.Claim(new IPEndPoint(peer, peerPort)).ShouldBeNull();
        accepting.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public void Partial_checksum_stays_the_pseudo_headers()
    {
        bed.FromProgram(Syn());
        _ = bed.Sink.Connections.Single().AcceptAsync(CancellationToken.None).AsTask();
        var (peer, peerPort) = Source(bed.Sink.Kernel[0][VirtioHeader.Size..]);
        var packet = Packet.Tcp(TunBed.App, 4000, TunBed.Service, 80, TcpFlags.Acknowledge, 1001, 1001, new byte[4000]);
        Pseudo(packet).CopyTo(packet.AsSpan(36));
        bed.FromProgram(packet, new VirtioHeader { Flags = VirtioHeader.NeedsChecksum, ChecksumStart = 20, ChecksumOffset = 16, SegmentType = 1, SegmentSize = 1460 });
        var rewritten = bed.Sink.Kernel[1];
        VirtioHeader.Read(rewritten).SegmentSize.ShouldBe((ushort)1460);
        var expected = Pseudo(Packet.Tcp(peer.ToString(), peerPort, TunBed.Listener, TunBed.Port, TcpFlags.Acknowledge, 1001, 1001, new byte[4000]));
        rewritten[(VirtioHeader.Size + 36)..(VirtioHeader.Size + 38)].ShouldBe(expected);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Refused_connection_is_reset_with_the_right_numbers(string app, string service, string listener, int port)
    {
        _ = (listener, port);
        bed.FromProgram(Packet.Tcp(app, 4000, service, 80, TcpFlags.Syn, uint.MaxValue));
        var connection = bed.Sink.Connections.Single();
        connection.Refuse(CaptureRefusal.Refused);
        var answer = bed.Sink.Answer();
        Packet.IsRight(answer).ShouldBeTrue();
        Source(answer).ShouldBe((IPAddress.Parse(service), 80));
        IpHeader.TryRead(answer, out var ip, out _);
        TcpHeader.TryRead(answer, ip, out var flags, out _);
        (flags, TcpHeader.Sequence(answer, ip), TcpHeader.Acknowledgment(answer, ip)).ShouldBe((TcpFlags.Reset | TcpFlags.Acknowledge, 0u, 0u));
        (await connection.AcceptAsync(CancellationToken.None)).ShouldBeNull();
        bed.Tcp.Count.ShouldBe(0);
    }

    [Theory]
    [InlineData(CaptureRefusal.Unreachable, TunBed.App, TunBed.Service, 3, 1)]
    [InlineData(CaptureRefusal.Prohibited, TunBed.App, TunBed.Service, 3, 13)]
    [InlineData(CaptureRefusal.Unreachable, TunBed.App6, TunBed.Service6, 1, 3)]
    [InlineData(CaptureRefusal.Prohibited, TunBed.App6, TunBed.Service6, 1, 1)]
    public void Unreachable_is_told_by_icmp_that_quotes_the_syn(CaptureRefusal refusal, string app, string service, byte type, byte code)
    {
        var syn = Packet.Tcp(app, 4000, service, 80, TcpFlags.Syn);
        bed.FromProgram((byte[])syn.Clone());
        bed.Sink.Connections.Single().Refuse(refusal);
        var answer = bed.Sink.Answer();
        Packet.IsRight(answer).ShouldBeTrue();
        IpHeader.TryRead(answer, out var ip, out _);
        (answer[ip.Transport], answer[ip.Transport + 1]).ShouldBe((type, code));
        answer[(ip.Transport + 8)..].ShouldBe(syn);
    }

    [Fact]
    public void After_silence_a_repeated_syn_is_a_new_connection()
    {
        bed.FromProgram(Syn());
        bed.Sink.Connections.Single().Refuse(CaptureRefusal.Silence);
        bed.Sink.Programs.ShouldBeEmpty();
        bed.FromProgram(Syn());
        bed.Sink.Connections.Count.ShouldBe(2);
    }

    [Fact]
    public void Connection_is_answered_once()
    {
        bed.FromProgram(Syn());
        var connection = bed.Sink.Connections.Single();
        _ = connection.AcceptAsync(CancellationToken.None).AsTask();
        connection.Refuse(CaptureRefusal.Refused);
        bed.Sink.Programs.ShouldBeEmpty();
        _ = connection.AcceptAsync(CancellationToken.None).AsTask();
        bed.Sink.Kernel.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Program_that_has_given_up_gets_no_socket()
    {
        bed.FromProgram(Syn());
        var accepting = bed.Sink.Connections.Single().AcceptAsync(CancellationToken.None);
        bed.FromProgram(Packet.Tcp(TunBed.App, 4000, TunBed.Service, 80, TcpFlags.Reset, 1001));
        (await accepting).ShouldBeNull();
    }

    [Fact]
    public async Task Program_that_never_answers_is_given_up()
    {
        bed.FromProgram(Syn());
        var accepting = bed.Sink.Connections.Single().AcceptAsync(CancellationToken.None);
        bed.Tcp.Sweep(TcpTranslator.AdmissionTime - 1);
        accepting.IsCompleted.ShouldBeFalse();
        bed.Tcp.Sweep(TcpTranslator.AdmissionTime + 20);
        (await accepting).ShouldBeNull();
        bed.Tcp.Count.ShouldBe(0);
    }

    [Fact]
    public void Flow_lives_while_only_one_end_has_finished_and_ends_after_both()
    {
        var (peer, peerPort) = Establish();
        bed.FromProgram(Packet.Tcp(TunBed.App, 4000, TunBed.Service, 80, TcpFlags.Fin | TcpFlags.Acknowledge, 1001, 1));
        bed.Now = TcpTranslator.IdleTime - 1;
        bed.Tcp.Sweep(bed.Now);
        bed.Tcp.Count.ShouldBe(1);
        bed.FromKernel(Packet.Tcp(TunBed.Listener, TunBed.Port, peer.ToString(), peerPort, TcpFlags.Fin | TcpFlags.Acknowledge));

        // The last acknowledgment still passes.
        var passed = bed.Sink.Kernel.Count;
        bed.FromProgram(Packet.Tcp(TunBed.App, 4000, TunBed.Service, 80, TcpFlags.Acknowledge, 1002, 2));
        bed.Sink.Kernel.Count.ShouldBe(passed + 1);
        bed.Tcp.Sweep(bed.Now + TcpTranslator.ClosingTime);
        bed.Tcp.Count.ShouldBe(0);
    }

    [Fact]
    public void Idle_flow_is_forgotten_and_then_reset()
    {
        Establish();
        bed.Tcp.Sweep(TcpTranslator.IdleTime);
        bed.Tcp.Count.ShouldBe(0);
        bed.FromProgram(Packet.Tcp(TunBed.App, 4000, TunBed.Service, 80, TcpFlags.Acknowledge, 1001, 77));
        var answer = bed.Sink.Answer();
        IpHeader.TryRead(answer, out var ip, out _);
        TcpHeader.TryRead(answer, ip, out var flags, out _);
        (flags, TcpHeader.Sequence(answer, ip)).ShouldBe((TcpFlags.Reset, 77u));
    }

    [Fact]
    public void Port_that_is_used_again_is_a_new_connection_while_the_old_one_closes()
    {
        var (peer, peerPort) = Establish();
        bed.FromKernel(Packet.Tcp(TunBed.Listener, TunBed.Port, peer.ToString(), peerPort, TcpFlags.Reset));
        bed.FromProgram(Syn());
        bed.Sink.Connections.Count.ShouldBe(2);
        _ = bed.Sink.Connections[1].AcceptAsync(CancellationToken.None).AsTask();
        Source(bed.Sink.Kernel[^1][VirtioHeader.Size..]).ShouldNotBe((peer, peerPort));
    }

    [Fact]
    public void Kernels_segments_of_no_flow_are_dropped()
    {
        var (peer, peerPort) = Establish();
        bed.FromKernel(Packet.Tcp(TunBed.Listener, TunBed.Port, peer.ToString(), peerPort + 1, TcpFlags.Acknowledge));
        bed.FromKernel(Packet.Tcp(TunBed.Listener, TunBed.Port, "246.255.73.200", peerPort, TcpFlags.Acknowledge));
        bed.FromKernel(Packet.Tcp(TunBed.Listener, TunBed.Port + 1, peer.ToString(), peerPort, TcpFlags.Acknowledge));
        bed.FromKernel(Packet.Udp(TunBed.Listener, TunBed.Port, peer.ToString(), peerPort));
        bed.FromKernel([]);
        bed.Sink.Programs.ShouldBeEmpty();
    }

    [Fact]
    public void Resets_and_bad_checksums_of_no_flow_are_not_answered()
    {
        bed.FromProgram(Packet.Tcp(TunBed.App, 4000, TunBed.Service, 80, TcpFlags.Reset));
        var syn = Syn();
        syn[37] ^= 1;
        bed.FromProgram(syn);
        var acknowledgment = Packet.Tcp(TunBed.App, 4000, TunBed.Service, 80, TcpFlags.Acknowledge);
        acknowledgment[37] ^= 1;
        bed.FromProgram(acknowledgment);
        bed.Sink.Programs.ShouldBeEmpty();
        bed.Sink.Connections.ShouldBeEmpty();
        bed.Sink.Drops.ShouldBe(3);
    }

    [Fact]
    public void Syn_that_nobody_has_room_for_comes_again()
    {
        bed.Sink.Full = true;
        bed.FromProgram(Syn());
        bed.Tcp.Count.ShouldBe(0);
        bed.Sink.Programs.ShouldBeEmpty();
        bed.Sink.Full = false;
        bed.FromProgram(Syn());
        bed.Sink.Connections.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task Socket_that_comes_after_its_connection_was_cancelled_is_closed()
    {
        bed.FromProgram(Syn());
        using var cancelling = new CancellationTokenSource();
        var accepting = bed.Sink.Connections.Single().AcceptAsync(cancelling.Token);
        await cancelling.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(async () => await accepting);
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        bed.Sink.Connections[0].Deliver(socket);
        socket.SafeHandle.IsClosed.ShouldBeTrue();
    }

    private static byte[] Syn() => Packet.Tcp(TunBed.App, 4000, TunBed.Service, 80, TcpFlags.Syn);

    private static (IPAddress Address, int Port) Source(byte[] packet) => End(packet, 0);

    private static (IPAddress Address, int Port) Destination(byte[] packet) => End(packet, 1);

    private static (IPAddress, int) End(byte[] packet, int which)
    {
        IpHeader.TryRead(packet, out var ip, out _).ShouldBe(PacketFault.None);
        var size = ip.IsV6 ? 16 : 4;
        var at = (ip.IsV6 ? 8 : 12) + which * size;
        var port = ip.Transport + 2 * which;
        return (new IPAddress(packet.AsSpan(at, size)), packet[port] << 8 | packet[port + 1]);
    }

    /// <summary>The sum of an IPv4 packet's pseudo header, as a kernel leaves it in the field.</summary>
    private static byte[] Pseudo(byte[] packet)
    {
        var length = packet.Length - 20;
        var sum = (ushort)~Packet.Sum([.. packet[12..20], 0, 6, (byte)(length >> 8), (byte)length]);
        return [(byte)(sum >> 8), (byte)sum];
    }

    private (IPAddress Peer, int Port) Establish()
    {
        bed.FromProgram(Syn());
        _ = bed.Sink.Connections.Single().AcceptAsync(CancellationToken.None).AsTask();
        var peer = Source(bed.Sink.Kernel[0][VirtioHeader.Size..]);
        bed.Tcp.Claim(new IPEndPoint(peer.Address, peer.Port));
        return peer;
    }
}
