using System.Net;
using System.Runtime.InteropServices;
using Fairlead.Linux.Tun.Packets;
using Fairlead.Platform.Capture;

namespace Fairlead.Linux.Tun.Flows;

/// <summary>Where the kernel's TCP listens for flows. The addresses behind it in its /24 (or /120) are the programs, as the kernel sees them.</summary>
/// <param name="Address">The listener's; the first of its network.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct KernelEnd(UInt128 Address, ushort Port);

/// <summary>
/// Moves TCP segments between programs and a listener of the kernel's TCP by rewriting their ends, and holds the SYN of each new flow until it is admitted or refused. Thread-safe.
/// </summary>
internal sealed class TcpTranslator(KernelEnd v4, KernelEnd? v6, IcmpSender icmp, IPacketSink sink, int capacity = FlowTable.MaxFlows)
{
    /// <summary>Seconds that a flow is kept after both ends have finished.</summary>
    internal const int ClosingTime = 4;

    /// <summary>Seconds until a program that never answers our SYN is given up: as long as Linux repeats it.</summary>
    internal const int AdmissionTime = 75;

    /// <summary>Seconds. A flow that is alive says so by keepalives in a third of that.</summary>
    internal const int IdleTime = 1800;

    private const TcpFlags Kind = TcpFlags.Syn | TcpFlags.Acknowledge | TcpFlags.Reset | TcpFlags.Fin;

    private readonly Lock gate = new();
    private readonly FlowTable table = new(capacity);
    private int nextSweep;

    public int Count
    {
        get
        {
            lock (gate)
            {
                return table.Count;
            }
        }
    }

    /// <summary>A segment from a program. It is rewritten in place.</summary>
    /// <param name="now">Seconds.</param>
    public void FromProgram(Span<byte> frame, in IpHeader ip, bool partial, int now)
    {
        var packet = frame[VirtioHeader.Size..];
        if (!TcpHeader.TryRead(packet, ip, out var flags, out _) || (ip.IsV6 && v6 is null))
        {
            sink.Drop();
            return;
        }

        var key = FlowKey.Read(packet, ip);
        var opens = (flags & Kind) == TcpFlags.Syn;
        var isHeld = false;
        int slot;
        byte generation = 0;
        TunConnection? given = null;
        lock (gate)
        {
            slot = table.Find(key);
            if (slot >= 0)
            {
                ref var flow = ref table[slot];
                generation = flow.Generation;
                switch (flow.State)
                {
                    case FlowState.Held:
                        flow.LastSeen = now;
                        if (opens)
                        {
                            flow.Connection!.Repeat(frame);
                        }
                        else if (flags.Has(TcpFlags.Reset))
                        {
                            given = flow.Connection;
                            table.Remove(slot);
                        }

                        isHeld = true;
                        break;
                    case FlowState.Closing when opens:
                        // The program uses its port again.
                        table.Remove(slot);
                        slot = -1;
                        break;
                    default:
                        Observe(slot, flags, fromClient: true, now, ref given);
                        break;
                }
            }
        }

        given?.Abandon();
        if (isHeld)
        {
            return;
        }

        if (slot >= 0)
        {
            var end = ip.IsV6 ? v6!.Value : v4;
            TcpHeader.Rewrite(packet, ip, end.Address + 1 + generation, (ushort)(slot + 1), end.Address, end.Port, partial);
            sink.ToKernel(frame);
        }
        else
        {
            Unknown(frame, ip, key, flags, partial, now);
        }
    }

    /// <summary>A segment of the kernel's TCP. It is rewritten in place.</summary>
    public void FromKernel(Span<byte> frame, int now)
    {
        if (frame.Length < VirtioHeader.Size || !TryReadKernel(frame, out var ip, out var flags))
        {
            // Nothing else is meant for us: a neighbour's noise.
            return;
        }

        var packet = frame[VirtioHeader.Size..];
        var ends = FlowKey.Read(packet, ip);
        var listener = ip.IsV6 ? v6 : v4;
        TunConnection? given = null;
        FlowKey key;
        lock (gate)
        {
            if (listener is not { } end || ends.Client != end.Address || ends.ClientPort != end.Port || FindPeer(ends.Destination, ends.DestinationPort) is not { } slot)
            {
                sink.Drop();
                return;
            }

            key = table[slot].Key;
            Observe(slot, flags, fromClient: false, now, ref given);
        }

        given?.Abandon();
        TcpHeader.Rewrite(packet, ip, key.Destination, key.DestinationPort, key.Client, key.ClientPort, VirtioHeader.Read(frame).IsPartial);
        sink.ToPrograms(frame);
    }

    /// <summary>Lets a held SYN in.</summary>
    /// <returns>False when it is held no more.</returns>
    public bool Admit(TunConnection connection)
    {
        byte generation;
        lock (gate)
        {
            ref var flow = ref table[connection.Slot];
            if (flow.Connection != connection || flow.State != FlowState.Held)
            {
                return false;
            }

            flow.State = FlowState.Open;
            generation = flow.Generation;
        }

        // Nobody else touches the frame now: a repeated SYN is passed on by itself.
        var frame = connection.Frame;
        var packet = frame.AsSpan(VirtioHeader.Size);
        IpHeader.TryRead(packet, out var ip, out _);
        var end = ip.IsV6 ? v6!.Value : v4;
        TcpHeader.Rewrite(packet, ip, end.Address + 1 + generation, (ushort)(connection.Slot + 1), end.Address, end.Port, VirtioHeader.Read(frame).IsPartial);
        sink.ToKernel(frame);
        return true;
    }

    /// <summary>Ends a held SYN; nothing if it is held no more.</summary>
    public void Refuse(TunConnection connection, CaptureRefusal refusal)
    {
        lock (gate)
        {
            ref var flow = ref table[connection.Slot];
            if (flow.Connection != connection || flow.State != FlowState.Held)
            {
                return;
            }

            table.Remove(connection.Slot);
        }

        connection.Abandon();
        if (refusal == CaptureRefusal.Silence)
        {
            return;
        }

        var packet = connection.Frame.AsSpan(VirtioHeader.Size);
        IpHeader.TryRead(packet, out var ip, out _);
        if (refusal == CaptureRefusal.Refused)
        {
            Span<byte> answer = stackalloc byte[PacketWriter.MaxAnswer];
            sink.ToPrograms(answer[..PacketWriter.WriteReset(packet, ip, answer)]);
        }
        else
        {
            icmp.Tell(packet[..ip.Length], ip.IsV6, refusal.ToIcmp());
        }
    }

    /// <summary>The connection that a socket of the listener belongs to; it is handed out once.</summary>
    /// <param name="peer">The socket's remote end.</param>
    public TunConnection? Claim(IPEndPoint peer)
    {
        lock (gate)
        {
            if (FindPeer(Ip.FromAddress(peer.Address), (ushort)peer.Port) is not { } slot)
            {
                return null;
            }

            var connection = table[slot].Connection;
            table[slot].Connection = null;
            return connection;
        }
    }

    /// <summary>Ends what is over by time. To be called about once a second.</summary>
    public void Sweep(int now)
    {
        List<TunConnection>? abandoned = null;
        lock (gate)
        {
            table.RemoveClosing(now - ClosingTime);
            if (now < nextSweep)
            {
                return;
            }

            nextSweep = now + 15;
            for (var slot = 0; slot < table.Slots; slot++)
            {
                ref var flow = ref table[slot];
                if (flow.State == FlowState.Open && now - flow.LastSeen >= (flow.Connection is null ? IdleTime : AdmissionTime))
                {
                    if (flow.Connection is { } connection)
                    {
                        (abandoned ??= []).Add(connection);
                    }

                    table.Remove(slot);
                }
            }
        }

        abandoned?.ForEach(connection => connection.Abandon());
    }

    /// <summary>The capture ends: whoever waits for a socket learns why none comes.</summary>
    public void Fail(Exception reason)
    {
        lock (gate)
        {
            for (var slot = 0; slot < table.Slots; slot++)
            {
                table[slot].Connection?.Fail(reason);
            }
        }
    }

    private static bool TryReadKernel(ReadOnlySpan<byte> frame, out IpHeader ip, out TcpFlags flags)
    {
        flags = default;
        var packet = frame[VirtioHeader.Size..];
        return IpHeader.TryRead(packet, out ip, out _) == PacketFault.None && !ip.IsFragment && ip.Protocol == IpHeader.Tcp && TcpHeader.TryRead(packet, ip, out flags, out _);
    }

    /// <summary>The living flow whose program the kernel knows by this address and port.</summary>
    private int? FindPeer(UInt128 address, ushort port)
    {
        var slot = port - 1;
        if (slot < 0 || slot >= table.Slots)
        {
            return null;
        }

        ref var flow = ref table[slot];
        var listener = flow.Key.IsV6 ? v6?.Address ?? 0 : v4.Address;
        return flow.State is FlowState.Open or FlowState.Closing && address == listener + 1 + flow.Generation ? slot : null;
    }

    private void Observe(int slot, TcpFlags flags, bool fromClient, int now, ref TunConnection? given)
    {
        ref var flow = ref table[slot];
        flow.LastSeen = now;
        if (flags.Has(TcpFlags.Fin))
        {
            flow.ClientFinished |= fromClient;
            flow.ServerFinished |= !fromClient;
        }

        if (!flags.Has(TcpFlags.Reset) && !(flow.ClientFinished && flow.ServerFinished))
        {
            return;
        }

        if (flags.Has(TcpFlags.Reset))
        {
            // Reset before the kernel handed it out: no socket will come, or one that is dead already.
            given = flow.Connection;
            flow.Connection = null;
        }

        table.Close(slot);
    }

    /// <summary>A segment of no flow in the table: a new connection, or one that doesn't exist (RFC 9293 §3.10.7.1).</summary>
    private void Unknown(Span<byte> frame, in IpHeader ip, in FlowKey key, TcpFlags flags, bool partial, int now)
    {
        var packet = frame[VirtioHeader.Size..];
        if (flags.Has(TcpFlags.Reset) || (!partial && !ip.IsChecksumRight(packet, ip.PayloadLength)))
        {
            sink.Drop();
            return;
        }

        if ((flags & Kind) != TcpFlags.Syn)
        {
            Span<byte> answer = stackalloc byte[PacketWriter.MaxAnswer];
            sink.ToPrograms(answer[..PacketWriter.WriteReset(packet, ip, answer)]);
            return;
        }

        TunConnection connection;
        lock (gate)
        {
            // Only one thread reads what programs send, so nobody has added it meanwhile.
            var slot = table.Add(key, now);
            if (slot < 0)
            {
                sink.Drop();
                return;
            }

            connection = new TunConnection(this, key, slot, frame[..(VirtioHeader.Size + ip.Length)]);
            table[slot].Connection = connection;
        }

        if (!sink.TryHandOut(connection))
        {
            sink.Drop();
            Refuse(connection, CaptureRefusal.Silence);
        }
    }
}
