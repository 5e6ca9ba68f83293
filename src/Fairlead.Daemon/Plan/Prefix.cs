using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;

namespace Fairlead.Daemon.Plan;

/// <summary>A CIDR of either family, with its addresses as numbers so that it can be compared and cut. No bit is set beyond its length.</summary>
internal readonly record struct Prefix : IComparable<Prefix>
{
    private Prefix(bool isIPv6, UInt128 first, int length)
    {
        IsIPv6 = isIPv6;
        First = first;
        Length = length;
    }

    public bool IsIPv6 { get; }

    /// <summary>The first address; an IPv4 address is a number of 32 bits.</summary>
    public UInt128 First { get; }

    /// <summary>0 to 32, or to 128.</summary>
    public int Length { get; }

    public int Bits => IsIPv6 ? 128 : 32;

    public UInt128 Last => First | HostMask(Bits - Length);

    public IPNetwork Network => new(Address(First), Length);

    public AddressFamily Family => IsIPv6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork;

    /// <summary>Bits beyond the length are cleared.</summary>
    public static Prefix Of(IPAddress address, int length)
    {
        var isIPv6 = address.AddressFamily == AddressFamily.InterNetworkV6;
        return Of(isIPv6, Number(address), length);
    }

    public static Prefix Of(IPAddress address) => Of(address, address.AddressFamily == AddressFamily.InterNetworkV6 ? 128 : 32);

    public static Prefix Of(IPNetwork network) => Of(network.BaseAddress, network.PrefixLength);

    public static Prefix Of(bool isIPv6, UInt128 first, int length) => new(isIPv6, first & ~HostMask((isIPv6 ? 128 : 32) - length), length);

    /// <summary>A CIDR, with no bit set beyond its length.</summary>
    public static bool TryParse(string text, out Prefix prefix, [NotNullWhen(false)] out string? why)
    {
        prefix = default;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash <= 0 || !IPAddress.TryParse(text.AsSpan(0, slash), out var address) || !int.TryParse(text.AsSpan(slash + 1), System.Globalization.NumberStyles.None, null, out var length)
            || length > (address.AddressFamily == AddressFamily.InterNetworkV6 ? 128 : 32) || address is { AddressFamily: AddressFamily.InterNetworkV6, ScopeId: not 0 })
        {
            why = "it is not a network such as '10.0.0.0/8' or 'fd00::/8'";
            return false;
        }

        prefix = Of(address, length);
        why = prefix.First == Number(address) ? null : $"it has bits set beyond its length; '{prefix}' has none";
        return why is null;
    }

    /// <exception cref="FormatException">It is no CIDR, or has bits set beyond its length.</exception>
    public static Prefix Parse(string text) => TryParse(text, out var prefix, out var why) ? prefix : throw new FormatException($"'{text}': {why}.");

    public bool Contains(Prefix other) => IsIPv6 == other.IsIPv6 && Length <= other.Length && (other.First & ~HostMask(Bits - Length)) == First;

    /// <summary>Two CIDRs overlap only when one lies in the other.</summary>
    public bool Overlaps(Prefix other) => Contains(other) || other.Contains(this);

    /// <summary>IPv4 first, then by first address, larger ones first.</summary>
    public int CompareTo(Prefix other) =>
        IsIPv6 != other.IsIPv6 ? IsIPv6.CompareTo(other.IsIPv6) : First != other.First ? First.CompareTo(other.First) : Length.CompareTo(other.Length);

    public override string ToString() => $"{Address(First)}/{Length}";

    private IPAddress Address(UInt128 number)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, number);
        return new IPAddress(IsIPv6 ? bytes : bytes[12..]);
    }

    private static UInt128 Number(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var length);
        return length == 16 ? BinaryPrimitives.ReadUInt128BigEndian(bytes) : BinaryPrimitives.ReadUInt32BigEndian(bytes);
    }

    private static UInt128 HostMask(int bits) => bits == 128 ? UInt128.MaxValue : (UInt128.One << bits) - 1;
}
