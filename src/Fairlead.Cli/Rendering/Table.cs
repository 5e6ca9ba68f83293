using System.Text;

namespace Fairlead.Cli.Rendering;

internal enum Style
{
    Plain,
    Strong,
    Faint,
    Good,
    Warning,
    Bad,
}

internal readonly record struct Cell(string Text, Style Style = Style.Plain)
{
    public static implicit operator Cell(string text) => new(text);
}

/// <summary>
/// Columns aligned by spaces, as kubectl's: what a person reads and <c>awk</c> splits. Nothing is ever cut; only on a terminal the last column is
/// wrapped, so what is piped is one line a row. Nothing is written after the last column.
/// </summary>
internal sealed class Table(params string[] columns)
{
    private const int Gap = 2;

    private readonly List<Cell[]> _rows = [];

    public int Count => _rows.Count;

    public void Add(params Cell[] cells)
    {
        if (cells.Length != columns.Length)
        {
            throw new ArgumentException($"{cells.Length} cells for {columns.Length} columns", nameof(cells));
        }

        _rows.Add(cells);
    }

    /// <param name="width">Columns of the terminal that it is for; null when it is for none.</param>
    public void Write(TextWriter writer, Palette palette, int? width = null)
    {
        var widths = columns.Select((column, i) => _rows.Select(row => row[i].Text.Length).Append(column.Length).Max()).ToArray();
        WriteRow(writer, widths, palette, width, columns.Select(c => new Cell(c, Style.Strong)).ToArray());
        foreach (var row in _rows)
        {
            WriteRow(writer, widths, palette, width, row);
        }
    }

    private static void WriteRow(TextWriter writer, int[] widths, Palette palette, int? width, Cell[] cells)
    {
        var last = cells.Length - 1;
        while (last > 0 && cells[last].Text.Length == 0)
        {
            last--;
        }

        var line = new StringBuilder();
        for (var i = 0; i < last; i++)
        {
            palette.Append(line, cells[i]).Append(' ', widths[i] - cells[i].Text.Length + Gap);
        }

        var start = widths.Take(last).Sum(w => w + Gap);
        palette.Append(line, cells[last] with { Text = Prose.Wrap(cells[last].Text, width, start, start) });
        writer.WriteLine(line);
    }
}

/// <summary>Colours on a terminal, nothing elsewhere (and nothing with NO_COLOR, https://no-color.org).</summary>
internal sealed class Palette(bool enabled)
{
    public static Palette For(bool isTerminal, Func<string, string?> environment) =>
        new(isTerminal && string.IsNullOrEmpty(environment("NO_COLOR")) && environment("TERM") != "dumb");

    public string Paint(Cell cell) => Append(new StringBuilder(), cell).ToString();

    public StringBuilder Append(StringBuilder line, Cell cell)
    {
        // ECMA-48 select graphic rendition
        var code = cell.Style switch
        {
            Style.Strong => "1",
            Style.Faint => "2",
            Style.Good => "32",
            Style.Warning => "33",
            Style.Bad => "31",
            _ => null,
        };
        return enabled && code is not null ? line.Append("\e[").Append(code).Append('m').Append(cell.Text).Append("\e[0m") : line.Append(cell.Text);
    }
}
