using System.Buffers;
using System.Collections;
using System.Net;
using System.Text;

namespace Fairlead.Daemon.Names;

/// <summary>
/// The model of a hosts file (hosts(5)) with a section of ours in it. Everything works on bytes and on whole lines: whatever is not
/// recognisably ours (other encodings, garbage, a foreign line inside our markers) is carried over byte for byte. Pure.
/// </summary>
/// <remarks>
/// Recognised as ours: the two markers, <c>###</c> directly before the first and after the second, the sentence directly after the first, and
/// between them lines of exactly the form that we write whose address lies in one of our ranges. Where the end marker is missing, only
/// the lines of that form that directly follow the start. The section goes to the end of the file, but before a last line that has no
/// line end: so it always consists of whole lines, and taking it out restores the file as it was.
/// </remarks>
internal sealed class HostsFile
{
    private static readonly byte[] Fence = "###"u8.ToArray();
    private static readonly byte[] Start = "# FAIRLEAD"u8.ToArray();
    private static readonly byte[] Notice = "# This section is managed by Fairlead. Do not edit manually."u8.ToArray();
    private static readonly byte[] End = "# /FAIRLEAD"u8.ToArray();

    private static readonly SearchValues<byte> Blank = SearchValues.Create(" \t\r\v\f"u8);
    private static readonly SearchValues<byte> NameCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-."u8);

    /// <summary>Characters of an IPv4 address, and more.</summary>
    private const int MaxAddress = 64;

    private readonly ReadOnlyMemory<byte> content;
    private readonly IReadOnlyList<IPNetwork> ranges;
    private readonly List<int> lineStarts;
    private readonly BitArray ours;

    private HostsFile(ReadOnlyMemory<byte> content, IReadOnlyList<IPNetwork> ranges)
    {
        this.content = content;
        this.ranges = ranges;
        lineStarts = FindLines(content.Span);
        ours = new BitArray(lineStarts.Count);
        MarkOurs();
    }

    /// <param name="ranges">The loopback ranges that our lines may point to: the present one and those of earlier runs.</param>
    public static HostsFile Parse(ReadOnlyMemory<byte> content, IReadOnlyList<IPNetwork> ranges) => new(content, ranges);

    /// <summary>Whether any line is recognised as ours.</summary>
    public bool HasSection => ours.HasAnySet();

    /// <summary>Lines of ours that lead a name to an address.</summary>
    public int EntryCount => Enumerable.Range(0, lineStarts.Count).Count(i => ours[i] && IsOurEntry(i));

    /// <summary>The file with our section holding exactly <paramref name="entries"/>; without a section where there are none.</summary>
    public byte[] With(IReadOnlyList<HostsEntry> entries)
    {
        var place = Place();
        var lineEnd = UsesCarriageReturns() ? "\r\n"u8 : "\n"u8;
        var result = new byte[ForeignLength() + SectionLength(entries, lineEnd.Length)];
        var rest = result.AsSpan();
        for (var i = 0; i < lineStarts.Count; i++)
        {
            if (lineStarts[i] == place)
            {
                WriteSection(ref rest, entries, lineEnd);
            }

            if (!ours[i])
            {
                Append(ref rest, Line(i));
            }
        }

        if (place == content.Length)
        {
            WriteSection(ref rest, entries, lineEnd);
        }

        return result;
    }

    /// <summary>The file as it was before us.</summary>
    public byte[] Without() => With([]);

    /// <summary>Reads the lines of others.</summary>
    /// <param name="candidates">Names to look for, lower case.</param>
    public ForeignHosts ReadForeign(IReadOnlySet<string> candidates)
    {
        var names = new HashSet<string>();
        var addresses = new HashSet<IPAddress>();
        var lookup = (candidates as HashSet<string> ?? [.. candidates]).GetAlternateLookup<ReadOnlySpan<char>>();
        Span<char> text = stackalloc char[256];
        for (var i = 0; i < lineStarts.Count; i++)
        {
            if (ours[i])
            {
                continue;
            }

            var line = Line(i);
            var comment = line.IndexOf((byte)'#');
            var rest = TrimLineEnd(comment < 0 ? line : line[..comment]);
            var first = NextToken(ref rest);
            if (first.IsEmpty || !IPAddress.TryParse(first, out var address))
            {
                continue;
            }

            if (IsInRanges(address))
            {
                addresses.Add(address);
            }

            for (var token = NextToken(ref rest); !token.IsEmpty; token = NextToken(ref rest))
            {
                // A name has at most 253 characters (RFC 1035 §2.3.4); a longer token is none of the candidates.
                if (token.Length < text.Length && Ascii.ToLower(token, text, out var length) == OperationStatus.Done
                    && lookup.TryGetValue(text[..length].TrimEnd('.'), out var name))
                {
                    names.Add(name);
                }
            }
        }

        return new ForeignHosts(names, addresses);
    }

    private static List<int> FindLines(ReadOnlySpan<byte> content)
    {
        var starts = new List<int>();
        for (var at = 0; at < content.Length;)
        {
            starts.Add(at);
            var length = content[at..].IndexOf((byte)'\n');
            at = length < 0 ? content.Length : at + length + 1;
        }

        return starts;
    }

    private void MarkOurs()
    {
        for (var i = 0; i < lineStarts.Count; i++)
        {
            if (Is(i, Start))
            {
                i = MarkSection(i);
            }
            else if (Is(i, End))
            {
                i = MarkEnd(i);
            }
        }
    }

    /// <returns>The last line looked at.</returns>
    private int MarkSection(int start)
    {
        ours[start] = true;
        if (start > 0 && Is(start - 1, Fence))
        {
            ours[start - 1] = true;
        }

        var body = start + 1;
        if (body < lineStarts.Count && Is(body, Notice))
        {
            ours[body++] = true;
        }

        var end = body;
        while (end < lineStarts.Count && !Is(end, Start) && !Is(end, End))
        {
            end++;
        }

        var closed = end < lineStarts.Count && Is(end, End);
        for (var i = body; i < end; i++)
        {
            if (IsOurEntry(i))
            {
                ours[i] = true;
            }
            else if (!closed)
            {
                return i - 1;
            }
        }

        return closed ? MarkEnd(end) : end - 1;
    }

    private int MarkEnd(int end)
    {
        ours[end] = true;
        if (end + 1 < lineStarts.Count && Is(end + 1, Fence))
        {
            ours[++end] = true;
        }

        return end;
    }

    private bool Is(int line, byte[] marker) => TrimLineEnd(Line(line)).SequenceEqual(marker);

    /// <summary>Exactly what <see cref="WriteSection"/> writes: an address of ours, single spaces, lower-case names, no comment.</summary>
    private bool IsOurEntry(int index)
    {
        var line = TrimLineEnd(Line(index));
        var space = line.IndexOf((byte)' ');
        return space > 0
            && IPAddress.TryParse(line[..space], out var address)
            && IsInRanges(address)
            && IsNameList(line[(space + 1)..]);
    }

    private static bool IsNameList(ReadOnlySpan<byte> names)
    {
        foreach (var name in names.Split((byte)' '))
        {
            if (names[name].IsEmpty || names[name].ContainsAnyExcept(NameCharacters))
            {
                return false;
            }
        }

        return true;
    }

    private bool IsInRanges(IPAddress address)
    {
        foreach (var range in ranges)
        {
            if (range.Contains(address))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Where the section goes: where it was, else the end, but before an unterminated last line.</summary>
    private int Place()
    {
        for (var i = 0; i < lineStarts.Count; i++)
        {
            if (ours[i])
            {
                return lineStarts[i];
            }
        }

        return content.IsEmpty || content.Span[^1] == '\n' ? content.Length : lineStarts[^1];
    }

    private int ForeignLength()
    {
        var length = 0;
        for (var i = 0; i < lineStarts.Count; i++)
        {
            length += ours[i] ? 0 : Line(i).Length;
        }

        return length;
    }

    /// <summary>Of what <see cref="WriteSection"/> writes; a file can have thousands of lines of ours, so it is written once, where it goes.</summary>
    private static int SectionLength(IReadOnlyList<HostsEntry> entries, int lineEnd)
    {
        if (entries.Count == 0)
        {
            return 0;
        }

        var length = (2 * Fence.Length) + Start.Length + Notice.Length + End.Length + (5 * lineEnd);
        Span<byte> text = stackalloc byte[MaxAddress];
        foreach (var entry in entries)
        {
            entry.Address.TryFormat(text, out var written);
            length += written + lineEnd;
            foreach (var name in entry.Names)
            {
                length += 1 + name.Length;
            }
        }

        return length;
    }

    private static void WriteSection(ref Span<byte> rest, IReadOnlyList<HostsEntry> entries, ReadOnlySpan<byte> lineEnd)
    {
        if (entries.Count == 0)
        {
            return;
        }

        foreach (var marker in (byte[][])[Fence, Start, Notice])
        {
            Append(ref rest, marker);
            Append(ref rest, lineEnd);
        }

        foreach (var entry in entries)
        {
            entry.Address.TryFormat(rest, out var written);
            rest = rest[written..];
            foreach (var name in entry.Names)
            {
                rest[0] = (byte)' ';
                rest = rest[(1 + Encoding.ASCII.GetBytes(name, rest[1..]))..];
            }

            Append(ref rest, lineEnd);
        }

        foreach (var marker in (byte[][])[End, Fence])
        {
            Append(ref rest, marker);
            Append(ref rest, lineEnd);
        }
    }

    private static void Append(ref Span<byte> rest, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(rest);
        rest = rest[bytes.Length..];
    }

    /// <summary>As the first line of somebody else does it.</summary>
    private bool UsesCarriageReturns()
    {
        for (var i = 0; i < lineStarts.Count; i++)
        {
            if (!ours[i])
            {
                return Line(i).EndsWith("\r\n"u8);
            }
        }

        return false;
    }

    private ReadOnlySpan<byte> Line(int index)
    {
        var end = index + 1 < lineStarts.Count ? lineStarts[index + 1] : content.Length;
        return content.Span[lineStarts[index]..end];
    }

    private static ReadOnlySpan<byte> TrimLineEnd(ReadOnlySpan<byte> line)
    {
        line = line.EndsWith("\n"u8) ? line[..^1] : line;
        return line.EndsWith("\r"u8) ? line[..^1] : line;
    }

    private static ReadOnlySpan<byte> NextToken(ref ReadOnlySpan<byte> rest)
    {
        var start = rest.IndexOfAnyExcept(Blank);
        if (start < 0)
        {
            rest = default;
            return default;
        }

        rest = rest[start..];
        var length = rest.IndexOfAny(Blank);
        var token = length < 0 ? rest : rest[..length];
        rest = rest[token.Length..];
        return token;
    }
}
