namespace Fairlead.Cli.Rendering;

/// <summary>Sentences on a terminal: broken between words, where the terminal alone would break within them.</summary>
internal static class Prose
{
    /// <summary>In a narrower column every other word would stand alone.</summary>
    private const int Narrowest = 20;

    /// <param name="width">Columns of the terminal; null leaves the text as it is.</param>
    /// <param name="used">Columns that the first line has used up.</param>
    /// <param name="indent">Spaces before each further line.</param>
    public static string Wrap(string text, int? width, int used, int indent)
    {
        if (width is not { } columns || columns - indent < Narrowest || used + text.Length <= columns)
        {
            return text;
        }

        var lines = new List<string>();
        var line = "";
        var room = columns - used;
        foreach (var word in text.Split(' '))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > room)
            {
                lines.Add(line);
                line = "";
                room = columns - indent;
            }

            line = line.Length == 0 ? word : $"{line} {word}";
        }

        return string.Join("\n" + new string(' ', indent), [.. lines, line]);
    }
}
