using System.Net;

namespace Fairlead.EndToEnd.Tests.Connect;

/// <summary>A subnet of the cluster (IPv4), and what lies around and in it: where tests of connect put the routes of a VPN.</summary>
internal sealed record Subnet(IPNetwork Network)
{
    public bool Has(string address) => Network.Contains(IPAddress.Parse(address));

    /// <summary>The network with a prefix of this length that has the subnet in it.</summary>
    public string Around(int length) => Of(Value(Network.BaseAddress), Math.Min(length, Network.PrefixLength));

    /// <summary>A part of the subnet, a 256th or at least 8 addresses, in which none of <paramref name="taken"/> is.</summary>
    public Subnet Part(params string[] taken)
    {
        var length = Math.Min(Network.PrefixLength + 8, 29);
        var size = 1u << (32 - length);
        for (var last = Value(Network.BaseAddress) + (uint)(1UL << (32 - Network.PrefixLength)) - size; ; last -= size)
        {
            var part = new Subnet(IPNetwork.Parse(Of(last, length)));
            if (!taken.Any(part.Has))
            {
                return part;
            }
        }
    }

    public string Address(uint index) => Text(Value(Network.BaseAddress) + index);

    /// <summary>The address of <paramref name="local"/> that stands for <paramref name="real"/> of this subnet.</summary>
    public string Translate(string real, IPNetwork local) => Text(Value(IPAddress.Parse(real)) - Value(Network.BaseAddress) + Value(local.BaseAddress));

    public override string ToString() => Network.ToString();

    private static string Of(uint address, int length) => $"{Text(address & (uint)(0xFFFFFFFFUL << (32 - length)))}/{length}";

    private static uint Value(IPAddress address) => System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(address.GetAddressBytes());

    private static string Text(uint address) => string.Join('.', address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
}
