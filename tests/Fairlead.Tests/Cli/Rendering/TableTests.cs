using Fairlead.Cli.Rendering;

namespace Fairlead.Tests.Cli.Rendering;

public sealed class TableTests
{
    [Fact]
    public void Table_columns_are_aligned_and_lines_have_no_trailing_space()
    {
        var table = new Table("SERVICE", "ADDRESS", "NAMES");
        table.Add("shop/a", "127.72.0.1", "a.shop");
        table.Add("shop/frontend", "127.72.0.10", "");

        Render(table, colours: false).ShouldBe("""
            SERVICE        ADDRESS      NAMES
            shop/a         127.72.0.1   a.shop
            shop/frontend  127.72.0.10

            """);
    }

    [Fact]
    public void Table_that_is_piped_neither_cuts_nor_wraps_a_long_cell()
    {
        var text = new string('x', 5000);
        var table = new Table("NAME", "TEXT");
        table.Add("a", text);
        Render(table, colours: false).Split('\n')[1].ShouldBe("a     " + text);
    }

    [Fact]
    public void Table_on_a_terminal_wraps_its_last_column_between_words()
    {
        var table = new Table("CHECK", "WHAT WAS FOUND");
        table.Add("hosts file", "/etc/hosts is readable and holds 9 of our lines.");
        using var writer = new StringWriter { NewLine = "\n" };
        table.Write(writer, new Palette(false), width: 40);

        writer.ToString().ShouldBe("""
            CHECK       WHAT WAS FOUND
            hosts file  /etc/hosts is readable and
                        holds 9 of our lines.

            """);
    }

    [Theory]
    [InlineData("short", 80, "short")]
    [InlineData("several words that do not fit", 14, "several words that do not fit")]
    [InlineData("several words that do not fit", 24, "several words that do\n  not fit")]
    [InlineData("one-word-that-is-longer-than-a-line and more", 24, "one-word-that-is-longer-than-a-line\n  and more")]
    public void Prose_breaks_between_words_where_there_is_room_for_some(string text, int width, string expected) =>
        Prose.Wrap(text, width, used: 2, indent: 2).ShouldBe(expected);

    [Fact]
    public void Table_colours_do_not_shift_columns()
    {
        var table = new Table("CHECK", "RESULT", "WHAT");
        table.Add("a", new Cell("ok", Style.Good), "fine");
        var coloured = Render(table, colours: true);
        coloured.ShouldContain("\e[32mok\e[0m");
        System.Text.RegularExpressions.Regex.Replace(coloured, "\e\\[[0-9]+m", "").ShouldBe(Render(table, colours: false));
    }

    [Fact]
    public void Table_row_with_another_number_of_cells_is_a_defect() =>
        Should.Throw<ArgumentException>(() => new Table("A", "B").Add("only one"));

    [Theory]
    [InlineData(true, null, null, true)]
    [InlineData(false, null, null, false)]
    [InlineData(true, "1", null, false)]
    [InlineData(true, "", null, true)]
    [InlineData(true, null, "dumb", false)]
    public void Palette_paints_only_on_a_terminal_that_wants_it(bool terminal, string? noColor, string? term, bool paints)
    {
        var palette = Palette.For(terminal, name => name switch { "NO_COLOR" => noColor, "TERM" => term, _ => null });
        palette.Paint(new Cell("x", Style.Bad)).ShouldBe(paints ? "\e[31mx\e[0m" : "x");
    }

    private static string Render(Table table, bool colours)
    {
        using var writer = new StringWriter { NewLine = "\n" };
        table.Write(writer, new Palette(colours));
        return writer.ToString();
    }
}
