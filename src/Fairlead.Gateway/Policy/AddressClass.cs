using System.Net;
using System.Net.Sockets;

namespace Fairlead.Gateway.Policy;

/// <summary>What kind of address it is by itself, whatever the cluster looks like.</summary>
internal enum AddressClass
{
    /// <summary>An ordinary unicast address.</summary>
    Ordinary,
    Unspecified,
    Loopback,
    Multicast,

    /// <summary>Broadcast and class E.</summary>
    Reserved,

    /// <summary>IPv4 in IPv6 clothes (mapped, compatible, 6to4, Teredo): kernels and proxies disagree on where it leads.</summary>
    Embedded,
    LinkLocal,

    /// <summary>A cloud's instance metadata, which hands out credentials of the node.</summary>
    Metadata,
}

internal static class AddressClassifier
{
    /// <summary>
    /// Metadata servers outside the link-local ranges: AWS over IPv6 (fd00:ec2::254), Google over IPv6 (fd20:ce::254), Alibaba
    /// (100.100.100.200), Azure's wire server (168.63.129.16), Oracle classic (192.0.0.192). 169.254.169.254 is told as metadata too.
    /// </summary>
    private static readonly HashSet<IPAddress> Metadata =
    [
        IPAddress.Parse("169.254.169.254"), IPAddress.Parse("fd00:ec2::254"), IPAddress.Parse("fd20:ce::254"),
        IPAddress.Parse("100.100.100.200"), IPAddress.Parse("168.63.129.16"), IPAddress.Parse("192.0.0.192"),
    ];

    private static readonly IPNetwork Compatible = IPNetwork.Parse("::/96");
    private static readonly IPNetwork Translated = IPNetwork.Parse("::ffff:0:0:0/96");
    private static readonly IPNetwork Nat64Local = IPNetwork.Parse("64:ff9b:1::/48");
    private static readonly IPNetwork Nat64 = IPNetwork.Parse("64:ff9b::/96");
    private static readonly IPNetwork SixToFour = IPNetwork.Parse("2002::/16");
    private static readonly IPNetwork Teredo = IPNetwork.Parse("2001::/32");
    private static readonly IPNetwork SiteLocal = IPNetwork.Parse("fec0::/10");

    public static AddressClass Classify(IPAddress address) => address.AddressFamily == AddressFamily.InterNetwork ? ClassifyV4(address) : ClassifyV6(address);

    private static AddressClass ClassifyV4(IPAddress address)
    {
        if (Metadata.Contains(address))
        {
            return AddressClass.Metadata;
        }

        Span<byte> bytes = stackalloc byte[4];
        address.TryWriteBytes(bytes, out _);
        return bytes[0] switch
        {
            0 => AddressClass.Unspecified,                          // RFC 1122 §3.2.1.3: 0.0.0.0/8; Linux dials itself
            127 => AddressClass.Loopback,
            169 when bytes[1] == 254 => AddressClass.LinkLocal,
            >= 224 and <= 239 => AddressClass.Multicast,
            >= 240 => AddressClass.Reserved,
            _ => AddressClass.Ordinary,
        };
    }

    private static AddressClass ClassifyV6(IPAddress address)
    {
        // A scope would pick an interface of the gateway's pod; it means nothing on an address that came from elsewhere.
        if (address.ScopeId != 0)
        {
            return AddressClass.LinkLocal;
        }

        if (address.Equals(IPAddress.IPv6Any))
        {
            return AddressClass.Unspecified;
        }

        if (IPAddress.IsLoopback(address))
        {
            return AddressClass.Loopback;
        }

        if (address.IsIPv6Multicast)
        {
            return AddressClass.Multicast;
        }

        if (address.IsIPv6LinkLocal || SiteLocal.Contains(address))
        {
            return AddressClass.LinkLocal;
        }

        if (Metadata.Contains(address))
        {
            return AddressClass.Metadata;
        }

        return address.IsIPv4MappedToIPv6 || Compatible.Contains(address) || Translated.Contains(address) || Nat64.Contains(address)
            || Nat64Local.Contains(address) || SixToFour.Contains(address) || Teredo.Contains(address)
            ? AddressClass.Embedded
            : AddressClass.Ordinary;
    }

    /// <summary>In words, for a refusal's reason.</summary>
    public static string Describe(this AddressClass value) => value switch
    {
        AddressClass.Unspecified => "an unspecified address",
        AddressClass.Loopback => "a loopback address",
        AddressClass.Multicast => "a multicast address",
        AddressClass.Reserved => "a reserved address",
        AddressClass.Embedded => "an IPv4 address inside an IPv6 address",
        AddressClass.LinkLocal => "a link-local address",
        AddressClass.Metadata => "a cloud metadata address",
        _ => "an ordinary address",
    };
}
