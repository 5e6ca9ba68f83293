using System.Net;
using Fairlead.Linux.Tun.Flows;
using Fairlead.Linux.Tun.Packets;

namespace Fairlead.Tests.Linux.Tun;

/// <summary>Everything of a TUN capture between its two devices, without them. The kernel's TCP is at 246.255.73.1:7777 and fd46:…:6562::1, port 7778.</summary>
internal sealed class TunBed : IDisposable
{
    public const string App = "246.255.72.1";
    public const string Service = "10.96.0.10";
    public const string App6 = "fd46::1";
    public const string Service6 = "fd96::10";
    public const string Listener = "246.255.73.1";
    public const string Listener6 = "fd46:6169:726c:6562::1";
    public const ushort Port = 7777;
    public const ushort Port6 = 7778;

    public TunBed(int capacity = FlowTable.MaxFlows)
    {
        var icmp = new IcmpSender(Sink, Time);
        Tcp = new TcpTranslator(End(Listener, Port), End(Listener6, Port6), icmp, Sink, capacity);
        Side = new ProgramSide(Tcp, icmp, Sink);
    }

    public RecordingSink Sink { get; } = new();

    public ManualTime Time { get; } = new();

    public TcpTranslator Tcp { get; }

    public ProgramSide Side { get; }

    public int Now { get; set; }

    public void FromProgram(byte[] packet, VirtioHeader header = default) => Side.Take(Packet.Frame(packet, header), Now);

    public void FromKernel(byte[] packet) => Tcp.FromKernel(Packet.Frame(packet), Now);

    public void Dispose() => Side.Dispose();

    private static KernelEnd End(string address, ushort port) => new(Ip.FromAddress(IPAddress.Parse(address)), port);
}
