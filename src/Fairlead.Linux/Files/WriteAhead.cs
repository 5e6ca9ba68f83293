using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Fairlead.Linux.Files;

/// <summary>The old and the new content of a file that is about to be written in place: as octets, and what they say about a file found after a kill.</summary>
internal sealed record WriteAhead(ReadOnlyMemory<byte> Old, ReadOnlyMemory<byte> New)
{
    private const string Magic = "fairlead-write-ahead 1";

    public enum Finding
    {
        /// <summary>The write wasn't begun, or was finished.</summary>
        Whole,

        /// <summary>It was cut: the start of the new content, then the rest of the old.</summary>
        Torn,

        /// <summary>Neither: somebody else has written the file since.</summary>
        Foreign,
    }

    /// <summary>One line (magic, lengths, SHA-256 of what follows), then both contents.</summary>
    public byte[] Format()
    {
        byte[] body = [.. Old.Span, .. New.Span];
        var header = $"{Magic} {Old.Length} {New.Length} {Convert.ToHexStringLower(SHA256.HashData(body))}\n";
        return [.. Encoding.ASCII.GetBytes(header), .. body];
    }

    /// <summary>Null when the octets are no whole record.</summary>
    public static WriteAhead? Parse(ReadOnlyMemory<byte> octets)
    {
        var end = octets.Span.IndexOf((byte)'\n');
        if (end < 0)
        {
            return null;
        }

        var fields = Encoding.ASCII.GetString(octets.Span[..end]).Split(' ');
        var body = octets[(end + 1)..];
        if (fields.Length != 5 || string.Join(' ', fields[..2]) != Magic
            || !int.TryParse(fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out var oldLength)
            || !int.TryParse(fields[3], NumberStyles.None, CultureInfo.InvariantCulture, out var newLength)
            || (long)oldLength + newLength != body.Length || fields[4] != Convert.ToHexStringLower(SHA256.HashData(body.Span)))
        {
            return null;
        }

        return new WriteAhead(body[..oldLength], body[oldLength..]);
    }

    /// <summary>The write goes front to back and cuts the end off last, so a torn file is as long as the longer of the old content and what was written.</summary>
    public Finding Judge(ReadOnlySpan<byte> current)
    {
        if (current.SequenceEqual(Old.Span) || current.SequenceEqual(New.Span))
        {
            return Finding.Whole;
        }

        var written = current.CommonPrefixLength(New.Span);
        if (current.Length > Old.Length)
        {
            return written == current.Length ? Finding.Torn : Finding.Foreign;
        }

        return current.Length == Old.Length && current[written..].SequenceEqual(Old.Span[written..]) ? Finding.Torn : Finding.Foreign;
    }
}
