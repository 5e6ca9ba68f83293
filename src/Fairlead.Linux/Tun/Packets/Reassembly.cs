using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Fairlead.Linux.Tun.Packets;

/// <summary>
/// Puts fragments together again (RFC 791 §3.2, RFC 8200 §4.5): bounded in number and time; packets whose fragments overlap are dropped as a whole (RFC 5722). Not thread-safe.
/// </summary>
internal sealed class Reassembly(Action<ReadOnlyMemory<byte>> expired) : IDisposable
{
    /// <summary>Packets that are incomplete at the same time, 64 KiB each; a further one ends the oldest.</summary>
    public const int MaxPackets = 64;

    /// <summary>Seconds: between RFC 1122's 60 and what senders of today mean; Linux has 30, too.</summary>
    public const int Lifetime = 30;

    /// <summary>What a length field can say; IPv6 doesn't count its first header.</summary>
    private const int MaxLength = 65_535;

    /// <summary>The headers before the fragment header; more is nothing that an honest sender has.</summary>
    private const int MaxHeader = 256;

    private readonly Dictionary<Key, Packet> packets = [];
    private readonly List<Packet> order = [];
    private Packet? finished;

    public int Count => packets.Count;

    /// <summary>Takes a fragment.</summary>
    /// <returns>The packet whose last missing fragment this was, as a frame without fragment headers and with right lengths: valid until the next call. Otherwise empty.</returns>
    public Span<byte> Add(ReadOnlySpan<byte> fragment, in IpHeader ip, int now)
    {
        var count = ip.PayloadLength;
        var headerLength = ip.IsV6 ? ip.Transport - IpHeader.FragmentLength : ip.Transport;
        if (count == 0 || (ip.MoreFragments && count % 8 != 0) || headerLength > MaxHeader || !Fits(ip.IsV6, headerLength, ip.FragmentOffset + count))
        {
            return [];
        }

        var (source, destination) = Ip.ReadAddresses(fragment, ip.IsV6);
        var key = new Key(source, destination, ip.FragmentId, ip.IsV6 ? (byte)0 : ip.Protocol);
        if (!packets.TryGetValue(key, out var packet))
        {
            if (packets.Count == MaxPackets)
            {
                Remove(order[0]);
            }

            packet = new Packet(key, now);
            packets.Add(key, packet);
            order.Add(packet);
        }

        if (!packet.Add(fragment, ip, headerLength))
        {
            Remove(packet);
            return [];
        }

        if (!packet.IsComplete)
        {
            return [];
        }

        packets.Remove(key);
        order.Remove(packet);
        finished?.Dispose();
        finished = packet;
        return packet.Finish();
    }

    /// <summary>Drops what has waited too long; where the first fragment had come, its sender is told (RFC 1122 §3.3.2).</summary>
    public void Sweep(int now)
    {
        while (order.Count > 0 && now - order[0].Begun >= Lifetime)
        {
            var packet = order[0];
            if (packet.First is { IsEmpty: false } first)
            {
                expired(first);
            }

            Remove(packet);
        }
    }

    public void Dispose()
    {
        while (order.Count > 0)
        {
            Remove(order[0]);
        }

        finished?.Dispose();
    }

    private void Remove(Packet packet)
    {
        packets.Remove(packet.Key);
        order.Remove(packet);
        packet.Dispose();
    }

    private static bool Fits(bool isV6, int headerLength, int data) => (isV6 ? headerLength - IpHeader.V6Length : headerLength) + data <= MaxLength;

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Key(UInt128 Source, UInt128 Destination, uint Id, byte Protocol);

    private sealed class Packet(Key key, int begun) : IDisposable
    {
        /// <summary>Behind the room for headers, so that both end up side by side.</summary>
        private const int Data = VirtioHeader.Size + MaxHeader;

        private readonly byte[] buffer = ArrayPool<byte>.Shared.Rent(Data + MaxLength);
        private readonly List<(int Start, int End)> parts = [];
        private int headerLength;
        private int firstLength;
        private int total = -1;
        private int received;
        private int nextHeaderField;
        private byte protocol;

        public Key Key { get; } = key;

        public int Begun { get; } = begun;

        public bool IsComplete => received == total && headerLength > 0 && Fits(Ip.IsV6(Key.Source), headerLength, total);

        /// <summary>The first fragment's header and data; empty when it didn't come.</summary>
        public ReadOnlyMemory<byte> First => headerLength == 0 ? default : buffer.AsMemory(Data - headerLength, headerLength + firstLength);

        /// <returns>False when the packet can't be saved.</returns>
        public bool Add(ReadOnlySpan<byte> fragment, in IpHeader ip, int header)
        {
            var start = ip.FragmentOffset;
            var end = start + ip.PayloadLength;
            var index = 0;
            foreach (var part in parts)
            {
                if (part == (start, end))
                {
                    // A duplicate is no attack.
                    return true;
                }

                if (start < part.End && part.Start < end)
                {
                    return false;
                }

                index += part.Start < start ? 1 : 0;
            }

            if ((total >= 0 && end > total) || (!ip.MoreFragments && total >= 0) || (!ip.MoreFragments && parts.Count > 0 && parts[^1].End > end))
            {
                return false;
            }

            if (!ip.MoreFragments)
            {
                total = end;
            }

            parts.Insert(index, (start, end));
            received += end - start;
            fragment[ip.Transport..ip.Length].CopyTo(buffer.AsSpan(Data + start));
            if (start == 0)
            {
                // The first fragment's header may be longer than the others' (options that are not copied).
                fragment[..header].CopyTo(buffer.AsSpan(Data - header));
                headerLength = header;
                firstLength = end;
                nextHeaderField = ip.NextHeaderField;
                protocol = ip.Protocol;
            }

            return true;
        }

        public Span<byte> Finish()
        {
            var frame = buffer.AsSpan(MaxHeader - headerLength, VirtioHeader.Size + headerLength + total);
            frame[..VirtioHeader.Size].Clear();
            var packet = frame[VirtioHeader.Size..];
            if (Ip.IsV6(Key.Source))
            {
                BinaryPrimitives.WriteUInt16BigEndian(packet[4..], (ushort)(packet.Length - IpHeader.V6Length));
                packet[nextHeaderField] = protocol;
            }
            else
            {
                BinaryPrimitives.WriteUInt16BigEndian(packet[2..], (ushort)packet.Length);
                packet[6..8].Clear();
                packet[10..12].Clear();
                Checksum.Write(packet[10..], (ushort)~Checksum.Fold(Checksum.Add(0, packet[..headerLength])));
            }

            return frame;
        }

        public void Dispose() => ArrayPool<byte>.Shared.Return(buffer);
    }
}
