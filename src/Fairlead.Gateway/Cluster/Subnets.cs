using System.Buffers.Binary;
using System.Net;
using System.Runtime.InteropServices;

namespace Fairlead.Gateway.Cluster;

/// <summary>Arithmetic of subnets, both families. Pure.</summary>
internal static class Subnets
{
    /// <summary>The same addresses in as few subnets as there can be: none inside another, no two that make up a larger one; IPv4 first, in order.</summary>
    public static IReadOnlyList<IPNetwork> Collapse(IEnumerable<IPNetwork> subnets)
    {
        var kept = new Stack<Block>();
        foreach (var block in subnets.Select(Block.Of).OrderBy(b => b.Width).ThenBy(b => b.Bits).ThenBy(b => b.Prefix))
        {
            if (kept.TryPeek(out var last) && last.Contains(block))
            {
                continue;
            }

            var next = block;
            while (kept.TryPeek(out var before) && before.IsOtherHalfOf(next))
            {
                kept.Pop();
                next = next.Parent;
            }

            kept.Push(next);
        }

        return [.. kept.Reverse().Select(b => b.ToNetwork())];
    }

    /// <summary>The smallest subnet around the addresses of each group, which is a subnet of <paramref name="groupPrefix"/> bits; none is smaller than <paramref name="longestPrefix"/> says.</summary>
    /// <param name="addresses">Of one family.</param>
    public static IEnumerable<IPNetwork> Cover(IEnumerable<IPAddress> addresses, int groupPrefix, int longestPrefix) => addresses
        .Select(a => Block.Of(new IPNetwork(a, a.GetAddressBytes().Length * 8)))
        .GroupBy(b => b.Cut(groupPrefix))
        .Select(group => Around(group.Min(b => b.Bits), group.Max(b => b.Bits), group.Key.Width, longestPrefix).ToNetwork());

    private static Block Around(UInt128 first, UInt128 last, int width, int longestPrefix) =>
        new Block(width, first, width).Cut(Math.Min((int)UInt128.LeadingZeroCount(first ^ last), longestPrefix));

    /// <param name="Width">32 or 128.</param>
    /// <param name="Bits">The address, its first bit the highest.</param>
    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Block(int Width, UInt128 Bits, int Prefix)
    {
        private const int MaxWidth = 128;

        public Block Parent => Cut(Prefix - 1);

        public static Block Of(IPNetwork network)
        {
            var bytes = network.BaseAddress.GetAddressBytes();
            Span<byte> padded = stackalloc byte[MaxWidth / 8];
            padded.Clear();
            bytes.CopyTo(padded);
            return new Block(bytes.Length * 8, BinaryPrimitives.ReadUInt128BigEndian(padded), network.PrefixLength);
        }

        public Block Cut(int prefix) => new(Width, prefix == 0 ? 0 : Bits & (UInt128.MaxValue << (MaxWidth - prefix)), prefix);

        public bool Contains(Block other) => Width == other.Width && Prefix <= other.Prefix && other.Cut(Prefix).Bits == Bits;

        public bool IsOtherHalfOf(Block other) => Width == other.Width && Prefix == other.Prefix && Prefix > 0 && Bits != other.Bits && Parent == other.Parent;

        public IPNetwork ToNetwork()
        {
            Span<byte> bytes = stackalloc byte[MaxWidth / 8];
            BinaryPrimitives.WriteUInt128BigEndian(bytes, Bits);
            return new IPNetwork(new IPAddress(bytes[..(Width / 8)]), Prefix);
        }
    }
}
