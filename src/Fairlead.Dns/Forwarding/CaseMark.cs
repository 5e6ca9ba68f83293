using System.Security.Cryptography;
using Fairlead.Dns.Messages;

namespace Fairlead.Dns.Forwarding;

/// <summary>
/// What we send out has letters in a random case. Servers give that back in the answer, which makes forging one harder, and forwarders
/// hand it on: a query that comes to us in just the case of one that we wait for is our own, gone in a circle.
/// </summary>
internal static class CaseMark
{
    private const int Attempts = 8;

    /// <summary>
    /// The name in another case. Never the case in which it came nor all in lower case, so that two programs that ask for one name at once are not
    /// taken for a circle. Null: it has too few letters.
    /// </summary>
    public static DnsName? Apply(DnsName name)
    {
        Span<byte> wire = stackalloc byte[DnsName.MaxWireLength];
        Span<byte> random = stackalloc byte[DnsName.MaxWireLength];
        wire = wire[..name.Wire.Length];
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            RandomNumberGenerator.Fill(random);
            var hasUpper = false;
            for (var i = 0; i < wire.Length; i++)
            {
                var lower = DnsName.Lower(name.Wire[i]);
                var isUpper = lower is >= (byte)'a' and <= (byte)'z' && (random[i] & 1) != 0;
                wire[i] = isUpper ? (byte)(lower & ~0x20) : lower;
                hasUpper |= isUpper;
            }

            if (hasUpper && !wire.SequenceEqual(name.Wire))
            {
                return DnsName.FromWire(wire);
            }
        }

        return null;
    }
}
