using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Fairlead.Cli.Hosting;
using Fairlead.Contracts.Errors;

namespace Fairlead.Cli.Rendering;

/// <summary>Writes what a verb found: for people, or as JSON or YAML of the same value.</summary>
internal sealed class Output(ITerminal terminal, OutputFormat format, Palette palette, Palette errorPalette)
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true, NewLine = "\n", Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonWriterOptions OneLine = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public OutputFormat Format => format;

    public Palette Palette => palette;

    public TextWriter Writer => terminal.Out;

    public void Show<T>(T value, JsonTypeInfo<T> type, Action<Output, T> people)
    {
        if (format == OutputFormat.Table)
        {
            people(this, value);
            return;
        }

        ShowStructured(JsonSerializer.SerializeToElement(value, type), Indented);
    }

    /// <summary>One of many values of a watch: JSON is one line each, YAML one document each.</summary>
    public void ShowNext<T>(T value, JsonTypeInfo<T> type, Action<Output, T> people)
    {
        switch (format)
        {
            case OutputFormat.Json:
                ShowStructured(JsonSerializer.SerializeToElement(value, type), OneLine);
                break;
            case OutputFormat.Yaml:
                terminal.Out.WriteLine("---");
                ShowStructured(JsonSerializer.SerializeToElement(value, type), Indented);
                break;
            default:
                people(this, value);
                terminal.Out.WriteLine();
                break;
        }

        terminal.Out.Flush();
    }

    public void Line(string text) => terminal.Out.WriteLine(text);

    public void Line(Cell cell) => terminal.Out.WriteLine(palette.Paint(cell));

    public void Show(Table table) => table.Write(terminal.Out, palette, terminal.OutIsTerminal ? terminal.Width : null);

    /// <summary>What is said besides the result: on standard error, so that a pipe gets the result alone.</summary>
    public void Note(string text) => terminal.Error.WriteLine(Prose.Wrap(text, ErrorWidth, 0, 0));

    public void Warn(string text) => WriteLabelled(new Cell("warning: ", Style.Warning), text);

    public void Fail(ErrorInfo error, string? details)
    {
        if (format == OutputFormat.Json)
        {
            WriteJson(terminal.Error, JsonSerializer.SerializeToElement(ErrorReport.From(error), CliJson.Default.ErrorReport), Indented);
            return;
        }

        WriteLabelled(new Cell("error: ", Style.Bad), error.Message);
        if (!string.IsNullOrEmpty(error.Why))
        {
            WriteLabelled("  why:  ", error.Why);
        }

        if (!string.IsNullOrEmpty(error.Hint))
        {
            // Never broken: mostly a command, which is to be pasted.
            terminal.Error.WriteLine("  next: " + Indent(error.Hint));
        }

        if (!string.IsNullOrEmpty(details))
        {
            terminal.Error.WriteLine(details);
        }
    }

    private int? ErrorWidth => terminal.ErrorIsTerminal ? terminal.Width : null;

    private void WriteLabelled(Cell label, string text)
    {
        var indent = label.Text.Length;
        var lines = text.ReplaceLineEndings("\n").Split('\n').Select(line => Prose.Wrap(line, ErrorWidth, indent, indent));
        terminal.Error.WriteLine(errorPalette.Paint(label) + string.Join("\n" + new string(' ', indent), lines));
    }

    private static string Indent(string text) => text.ReplaceLineEndings("\n").Replace("\n", "\n        ", StringComparison.Ordinal);

    private void ShowStructured(JsonElement value, JsonWriterOptions options)
    {
        if (format == OutputFormat.Yaml)
        {
            YamlText.Write(value, terminal.Out);
        }
        else
        {
            WriteJson(terminal.Out, value, options);
        }
    }

    private static void WriteJson(TextWriter target, JsonElement value, JsonWriterOptions options)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, options))
        {
            value.WriteTo(writer);
        }

        target.WriteLine(System.Text.Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length));
    }
}
