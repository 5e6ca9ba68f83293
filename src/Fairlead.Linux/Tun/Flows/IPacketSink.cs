using Fairlead.Linux.Tun.Packets;

namespace Fairlead.Linux.Tun.Flows;

/// <summary>Where packets, and what was made of them, go. Spans are valid for the call only. Callable from several threads.</summary>
internal interface IPacketSink
{
    /// <summary>A frame for programs: it leaves by the device that their packets come from.</summary>
    void ToPrograms(ReadOnlySpan<byte> frame);

    /// <summary>A frame for the kernel's TCP that ends the flows.</summary>
    void ToKernel(ReadOnlySpan<byte> frame);

    /// <returns>False when too many wait already.</returns>
    bool TryHandOut(TunConnection connection);

    /// <returns>False when too many wait already.</returns>
    bool TryHandOut(in FlowKey ends, ReadOnlySpan<byte> datagram);

    /// <returns>False when too many wait already.</returns>
    bool TryHandOut(UInt128 client, UInt128 destination, ushort identifier, ushort sequence, ReadOnlySpan<byte> data);

    /// <summary>A packet was dropped.</summary>
    void Drop();
}
