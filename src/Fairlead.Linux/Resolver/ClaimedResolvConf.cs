using System.Net;
using System.Text;
using Fairlead.Platform.Resolver;

namespace Fairlead.Linux.Resolver;

internal enum OriginalKind
{
    File,

    /// <summary>A symlink; <see cref="Original.Text"/> is where it leads.</summary>
    Link,

    Missing,
}

/// <summary>What stands at the path without us.</summary>
/// <param name="Text">The file's octets, or the link's target; empty when it is missing.</param>
internal sealed record Original(OriginalKind Kind, ReadOnlyMemory<byte> Text)
{
    public static readonly Original Missing = new(OriginalKind.Missing, ReadOnlyMemory<byte>.Empty);

    public static Original Link(string target) => new(OriginalKind.Link, Encoding.UTF8.GetBytes(target));

    public string Target => Encoding.UTF8.GetString(Text.Span);
}

/// <summary>
/// The resolv.conf that leads to our server. It holds, in comments, all of what stood there before it, so that it alone is enough to bring that back, to
/// whom and whenever a backup of it may be restored: VPNs keep copies of the file that they find. Pure, byte for byte.
/// </summary>
internal static class ClaimedResolvConf
{
    private const string Begin = "# Fairlead answers names while it runs (fairlead doctor). What stood here before follows; 'fairlead stop' brings it back, after a crash 'fairlead cleanup'.\n";
    private const string BeginFile = "#fairlead file\n";
    private const string BeginLink = "#fairlead link\n";
    private const string BeginMissing = "#fairlead missing\n";
    private const string End = "#fairlead end\n";

    // Before each line of the original; the second where the last line has no line feed.
    private const string Line = "#|";
    private const string LastLine = "#>";

    /// <summary>resolv.conf(5): 256 characters for all suffixes in older C libraries, no limit since 2.26.</summary>
    private const int MaxSearch = 32;

    /// <param name="before">What the original means.</param>
    public static byte[] Compose(ResolverClaim claim, Original original, ResolvConf before)
    {
        var text = new MemoryStream();
        Append(text, Begin);
        Append(text, $"nameserver {claim.Server}\n");
        var search = claim.Search.Concat(before.Search).Distinct(StringComparer.OrdinalIgnoreCase).Take(MaxSearch).ToList();
        if (search.Count > 0)
        {
            Append(text, $"search {string.Join(' ', search)}\n");
        }

        foreach (var line in before.Others)
        {
            Append(text, line + "\n");
        }

        Append(text, original.Kind switch { OriginalKind.File => BeginFile, OriginalKind.Link => BeginLink, _ => BeginMissing });
        for (var rest = original.Text.Span; rest.Length > 0;)
        {
            var end = rest.IndexOf((byte)'\n');
            Append(text, end < 0 ? LastLine : Line);
            text.Write(end < 0 ? rest : rest[..(end + 1)]);
            if (end < 0)
            {
                Append(text, "\n");
            }

            rest = end < 0 ? [] : rest[(end + 1)..];
        }

        Append(text, End);
        return text.ToArray();
    }

    /// <summary>
    /// What stood there before us, according to a file that is ours, also where others added lines around ours since; null when nothing in it is
    /// ours.
    /// </summary>
    /// <param name="readLink">Gives the content of a link's target; asked only where others added lines to a file of ours that replaced a link.</param>
    public static Original? FindOriginal(ReadOnlyMemory<byte> content, Func<string, ReadOnlyMemory<byte>> readLink)
    {
        var start = content.Span.IndexOf(Encoding.ASCII.GetBytes(Begin));
        var end = start < 0 ? -1 : content.Span[start..].IndexOf(Encoding.ASCII.GetBytes(End));
        if (end < 0)
        {
            return null;
        }

        var ours = content.Span.Slice(start, end);
        var before = content[..start];
        var after = content[(start + end + End.Length)..];
        var original = Read(ours);
        if (original is null || (before.IsEmpty && after.IsEmpty))
        {
            return original;
        }

        ReadOnlyMemory<byte> inner = original.Kind switch
        {
            OriginalKind.File => original.Text,
            OriginalKind.Link => readLink(original.Target),
            _ => ReadOnlyMemory<byte>.Empty,
        };
        return new Original(OriginalKind.File, (byte[])[.. before.Span, .. inner.Span, .. after.Span]);
    }

    private static Original? Read(ReadOnlySpan<byte> ours)
    {
        foreach (var (head, kind) in new[] { (BeginFile, OriginalKind.File), (BeginLink, OriginalKind.Link), (BeginMissing, OriginalKind.Missing) })
        {
            var at = ours.IndexOf(Encoding.ASCII.GetBytes("\n" + head));
            if (at < 0)
            {
                continue;
            }

            var text = new MemoryStream();
            for (var rest = ours[(at + 1 + head.Length)..]; rest.Length > 0;)
            {
                var end = rest.IndexOf((byte)'\n');
                if (end < Line.Length)
                {
                    return null;
                }

                // With the line feed, unless it is ours.
                var isLast = rest.StartsWith(Encoding.ASCII.GetBytes(LastLine));
                text.Write(rest[Line.Length..(isLast ? end : end + 1)]);
                rest = rest[(end + 1)..];
            }

            return new Original(kind, text.ToArray());
        }

        return null;
    }

    private static void Append(MemoryStream text, string line) => text.Write(Encoding.UTF8.GetBytes(line));
}
