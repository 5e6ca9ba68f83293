using Fairlead.Linux.Tun.Flows;
using Fairlead.Linux.Tun.Packets;

namespace Fairlead.Tests.Linux.Tun;

/// <summary>Keeps what packets became.</summary>
internal sealed class RecordingSink : IPacketSink
{
    public List<byte[]> Programs { get; } = [];

    public List<byte[]> Kernel { get; } = [];

    public List<TunConnection> Connections { get; } = [];

    public List<(FlowKey Ends, byte[] Data)> Datagrams { get; } = [];

    public List<(ushort Identifier, ushort Sequence, byte[] Data)> Echoes { get; } = [];

    public int Drops { get; private set; }

    public bool Full { get; set; }

    public void ToPrograms(ReadOnlySpan<byte> frame) => Programs.Add(frame.ToArray());

    public void ToKernel(ReadOnlySpan<byte> frame) => Kernel.Add(frame.ToArray());

    public bool TryHandOut(TunConnection connection)
    {
        if (!Full)
        {
            Connections.Add(connection);
        }

        return !Full;
    }

    public bool TryHandOut(in FlowKey ends, ReadOnlySpan<byte> datagram)
    {
        Datagrams.Add((ends, datagram.ToArray()));
        return !Full;
    }

    public bool TryHandOut(UInt128 client, UInt128 destination, ushort identifier, ushort sequence, ReadOnlySpan<byte> data)
    {
        Echoes.Add((identifier, sequence, data.ToArray()));
        return !Full;
    }

    public void Drop() => Drops++;

    /// <summary>The only packet that was sent to programs.</summary>
    public byte[] Answer() => Programs.ShouldHaveSingleItem()[VirtioHeader.Size..];
}
