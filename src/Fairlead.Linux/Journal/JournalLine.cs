using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Fairlead.Platform.Journal;

namespace Fairlead.Linux.Journal;

/// <summary>
/// One line of the journal: <c>CHECKSUM + ID KIND SUBJECT</c> for an intent, <c>CHECKSUM - ID</c> when it is undone; the subject is
/// percent-encoded, so a line is ASCII without spaces inside its fields. The checksum is the start of the SHA-256 of the rest of the line.
/// </summary>
internal readonly record struct JournalLine(long Id, HostChange? Intent)
{
    public string Format()
    {
        var id = Id.ToString(CultureInfo.InvariantCulture);
        var body = Intent is { } change ? $"+ {id} {Uri.EscapeDataString(change.Kind)} {Uri.EscapeDataString(change.Subject)}" : $"- {id}";
        return $"{Checksum(body)} {body}\n";
    }

    /// <param name="text">Without its line feed.</param>
    /// <param name="line">The line, when its checksum and form are right.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out JournalLine? line)
    {
        line = null;
        if (text.Length < 10 || text[8] != ' ' || text[..8] != Checksum(text[9..]))
        {
            return false;
        }

        line = text[9..].Split(' ') switch
        {
            ["+", var id, var kind, var subject] when TryId(id, out var number) =>
                new JournalLine(number, new HostChange(number, Uri.UnescapeDataString(kind), Uri.UnescapeDataString(subject))),
            ["-", var id] when TryId(id, out var number) => new JournalLine(number, null),
            _ => null,
        };
        return line is not null;
    }

    private static bool TryId(string text, out long id) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out id);

    private static string Checksum(string body) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(body)))[..8];
}
