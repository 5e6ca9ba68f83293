using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace Fairlead.Dns.Messages;

/// <summary>
/// An absolute domain name: labels of 1 to 63 octets, at most 255 octets on the wire (RFC 1035 §3.1). Any octet is allowed in a label.
/// Comparison ignores the case of ASCII letters (RFC 4343); the case itself is kept, as clients that vary it on purpose check it.
/// </summary>
public sealed class DnsName : IEquatable<DnsName>
{
    public const int MaxWireLength = 255;
    public const int MaxLabelLength = 63;

    public static readonly DnsName Root = new([0]);

    /// <summary>Uncompressed wire form, the root's zero octet included.</summary>
    private readonly byte[] wire;

    private DnsName(byte[] octets) => wire = octets;

    /// <summary>Uncompressed wire form, ending with a zero octet.</summary>
    public ReadOnlySpan<byte> Wire => wire;

    public bool IsRoot => wire.Length == 1;

    public int LabelCount
    {
        get
        {
            var count = 0;
            for (var at = 0; wire[at] != 0; at += wire[at] + 1)
            {
                count++;
            }

            return count;
        }
    }

    /// <summary>The labels as text, leftmost first, escaped as in <see cref="ToString"/>.</summary>
    public IReadOnlyList<string> Labels
    {
        get
        {
            var labels = new List<string>();
            for (var at = 0; wire[at] != 0; at += wire[at] + 1)
            {
                var text = new StringBuilder();
                AppendLabel(text, wire.AsSpan(at + 1, wire[at]));
                labels.Add(text.ToString());
            }

            return labels;
        }
    }

    /// <summary>The name without its leftmost label; the root's parent is the root.</summary>
    public DnsName Parent => IsRoot ? this : new DnsName(wire[(wire[0] + 1)..]);

    /// <summary>Presentation form (RFC 1035 §5.1): <c>\.</c>, <c>\\</c> and <c>\DDD</c> are escapes. A final dot may be left out; "." is the root.</summary>
    /// <exception cref="FormatException">It isn't a name.</exception>
    public static DnsName Parse(string text) =>
        TryParse(text, out var name) ? name : throw new FormatException($"'{text}' is not a domain name.");

    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out DnsName? name)
    {
        name = null;
        if (string.IsNullOrEmpty(text))
        {
            return false;
        }

        if (text == ".")
        {
            name = Root;
            return true;
        }

        Span<byte> octets = stackalloc byte[MaxWireLength];
        int labelStart = 0, at = 1;
        for (var i = 0; i < text.Length; i++)
        {
            int octet = text[i];
            if (octet == '.')
            {
                if (at == labelStart + 1)
                {
                    return false;
                }

                octets[labelStart] = (byte)(at - labelStart - 1);
                labelStart = at++;
                continue;
            }

            if (octet == '\\' && !TryUnescape(text, ref i, out octet))
            {
                return false;
            }

            // One octet must stay free for the root's zero.
            if (octet > 0x7f && text[i] == octet || at >= MaxWireLength - 1 || at - labelStart > MaxLabelLength)
            {
                return false;
            }

            octets[at++] = (byte)octet;
        }

        if (at > labelStart + 1)
        {
            octets[labelStart] = (byte)(at - labelStart - 1);
            labelStart = at++;
        }

        octets[labelStart] = 0;
        name = new DnsName(octets[..(labelStart + 1)].ToArray());
        return true;
    }

    /// <summary>From an uncompressed wire form.</summary>
    /// <exception cref="DnsFormatException">Not a name, or octets follow it.</exception>
    public static DnsName FromWire(ReadOnlySpan<byte> octets)
    {
        var at = 0;
        while (at < octets.Length && octets[at] is > 0 and <= MaxLabelLength)
        {
            at += octets[at] + 1;
        }

        if (at != octets.Length - 1 || octets[at] != 0 || octets.Length > MaxWireLength)
        {
            throw new DnsFormatException("malformed name");
        }

        return octets.Length == 1 ? Root : new DnsName(octets.ToArray());
    }

    /// <summary>Wire form in lower case, by which names that are equal are equal octets.</summary>
    /// <returns>Its length.</returns>
    internal int CopyLower(Span<byte> destination)
    {
        for (var i = 0; i < wire.Length; i++)
        {
            destination[i] = Lower(wire[i]);
        }

        return wire.Length;
    }

    internal byte[] ToLowerArray()
    {
        var lower = new byte[wire.Length];
        CopyLower(lower);
        return lower;
    }

    /// <summary>This name with what follows <paramref name="from"/>, which it is at or below, replaced by <paramref name="to"/>; null when that is too long.</summary>
    public DnsName? Rebase(DnsName from, DnsName to)
    {
        ArgumentNullException.ThrowIfNull(from);
        ArgumentNullException.ThrowIfNull(to);
        var kept = wire.Length - from.wire.Length;
        return kept + to.wire.Length <= MaxWireLength ? new DnsName([.. wire.AsSpan(0, kept), .. to.wire]) : null;
    }

    /// <summary>Whether this name is <paramref name="ancestor"/> or lies below it.</summary>
    public bool IsAtOrBelow(DnsName ancestor)
    {
        ArgumentNullException.ThrowIfNull(ancestor);
        for (var at = 0; wire.Length - at >= ancestor.wire.Length; at += wire[at] + 1)
        {
            if (wire.Length - at == ancestor.wire.Length)
            {
                return EqualsIgnoringCase(wire.AsSpan(at), ancestor.wire);
            }
        }

        return false;
    }

    public bool Equals(DnsName? other) => other is not null && EqualsIgnoringCase(wire, other.wire);

    public override bool Equals(object? obj) => Equals(obj as DnsName);

    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (var octet in wire)
        {
            hash.Add(Lower(octet));
        }

        return hash.ToHashCode();
    }

    public static bool operator ==(DnsName? left, DnsName? right) => left is null ? right is null : left.Equals(right);

    public static bool operator !=(DnsName? left, DnsName? right) => !(left == right);

    /// <summary>Presentation form without a final dot ("." for the root); <see cref="Parse"/> gives the same name back.</summary>
    public override string ToString()
    {
        if (IsRoot)
        {
            return ".";
        }

        var text = new StringBuilder(wire.Length);
        for (var at = 0; wire[at] != 0; at += wire[at] + 1)
        {
            if (at > 0)
            {
                text.Append('.');
            }

            AppendLabel(text, wire.AsSpan(at + 1, wire[at]));
        }

        return text.ToString();
    }

    // A length octet is at most 63, below the letters, so the whole wire form can be compared at once.
    private static bool EqualsIgnoringCase(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        if (a.Length != b.Length)
        {
            return false;
        }

        for (var i = 0; i < a.Length; i++)
        {
            if (Lower(a[i]) != Lower(b[i]))
            {
                return false;
            }
        }

        return true;
    }

    internal static byte Lower(byte octet) => octet is >= (byte)'A' and <= (byte)'Z' ? (byte)(octet | 0x20) : octet;

    private static void AppendLabel(StringBuilder text, ReadOnlySpan<byte> label)
    {
        foreach (var octet in label)
        {
            switch (octet)
            {
                case (byte)'.' or (byte)'\\':
                    text.Append('\\').Append((char)octet);
                    break;
                case > 0x20 and < 0x7f:
                    text.Append((char)octet);
                    break;
                default:
                    text.Append('\\').Append(octet.ToString("D3", CultureInfo.InvariantCulture));
                    break;
            }
        }
    }

    private static bool TryUnescape(string text, ref int at, out int octet)
    {
        octet = 0;
        if (at + 1 >= text.Length)
        {
            return false;
        }

        if (!char.IsAsciiDigit(text[at + 1]))
        {
            octet = text[++at];
            return octet <= 0x7f;
        }

        if (at + 3 >= text.Length || !char.IsAsciiDigit(text[at + 2]) || !char.IsAsciiDigit(text[at + 3]))
        {
            return false;
        }

        octet = (text[at + 1] - '0') * 100 + (text[at + 2] - '0') * 10 + (text[at + 3] - '0');
        at += 3;
        return octet <= 255;
    }
}
