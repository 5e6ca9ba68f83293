using System.Text.Json.Serialization.Metadata;
using Fairlead.Cli.Hosting;

namespace Fairlead.Cli.Rendering;

/// <summary>What <c>--watch</c> shows: on a terminal the newest state in place of the last one, elsewhere one after the other.</summary>
internal sealed class LiveView : IDisposable
{
    // ECMA-48 and xterm: alternate screen, cursor home, erase to the end of line and of screen
    private const string Enter = "\e[?1049h\e[?25l";
    private const string Leave = "\e[?25h\e[?1049l";
    private const string Home = "\e[H";
    private const string EraseLine = "\e[K";
    private const string EraseBelow = "\e[J";

    private readonly CliHost _host;
    private readonly Output _output;
    private readonly bool _redraws;
    private string _last = "";

    private LiveView(CliHost host, Output output)
    {
        _host = host;
        _output = output;
        _redraws = host.Terminal.OutIsTerminal && output.Format == OutputFormat.Table && host.Environment("TERM") != "dumb";
        if (_redraws)
        {
            host.Terminal.Out.Write(Enter);
        }
    }

    public static LiveView For(CliHost host, Output output) => new(host, output);

    public void Show<T>(T value, JsonTypeInfo<T> type, Action<Output, T> people)
    {
        if (!_redraws)
        {
            _output.ShowNext(value, type, people);
            return;
        }

        using var text = new StringWriter { NewLine = "\n" };
        people(new Output(new Buffered(_host.Terminal, text), OutputFormat.Table, _output.Palette, _output.Palette), value);
        _last = text.ToString();
        var visible = Math.Max(1, Console.WindowHeight - 1);
        var lines = _last.TrimEnd('\n').Split('\n').Take(visible);
        _host.Terminal.Out.Write(Home + string.Join("\n", lines.Select(line => line + EraseLine)) + EraseBelow);
        _host.Terminal.Out.Flush();
    }

    /// <summary>Back on the ordinary screen, the last state stays to be read.</summary>
    public void Dispose()
    {
        if (_redraws)
        {
            _host.Terminal.Out.Write(Leave + _last);
            _host.Terminal.Out.Flush();
        }
    }

    private sealed class Buffered(ITerminal terminal, TextWriter text) : ITerminal
    {
        public TextReader In => terminal.In;

        public TextWriter Out => text;

        public TextWriter Error => text;

        public bool OutIsTerminal => true;

        public bool ErrorIsTerminal => true;

        public bool InIsTerminal => terminal.InIsTerminal;

        public int? Width => terminal.Width;
    }
}
