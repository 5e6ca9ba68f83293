using Fairlead.Cli.Hosting;

namespace Fairlead.Cli.Rendering;

/// <summary>
/// Long work made visible on standard error: on a terminal one line with a turning sign and the seconds that passed, elsewhere a plain line per step.
/// </summary>
internal sealed class ProgressLine : IProgress<string>, IAsyncDisposable
{
    private static readonly TimeSpan Frame = TimeSpan.FromMilliseconds(120);
    private static readonly string[] Signs = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

    private readonly Lock _gate = new();
    private readonly ITerminal _terminal;
    private readonly TimeProvider _time;
    private readonly long _started;
    private readonly CancellationTokenSource _ending = new();
    private readonly Task _turning;
    private readonly bool _turns;
    private string _step;

    public ProgressLine(CliHost host, string step)
    {
        _terminal = host.Terminal;
        _time = host.Time;
        _step = step;
        _started = _time.GetTimestamp();
        _turns = _terminal.ErrorIsTerminal && host.Environment("TERM") != "dumb";
        if (!_turns)
        {
            _terminal.Error.WriteLine(step);
        }

        _turning = _turns ? TurnAsync(_ending.Token) : Task.CompletedTask;
    }

    public void Report(string value)
    {
        lock (_gate)
        {
            if (_step == value)
            {
                return;
            }

            _step = value;
            if (!_turns)
            {
                _terminal.Error.WriteLine(value);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _turning;
        if (_turns)
        {
            await _terminal.Error.WriteAsync("\r\e[K");
            await _terminal.Error.FlushAsync(CancellationToken.None);
        }

        _ending.Dispose();
    }

    private async Task TurnAsync(CancellationToken cancellationToken)
    {
        for (var i = 0; !cancellationToken.IsCancellationRequested; i++)
        {
            lock (_gate)
            {
                var width = Math.Max(20, Console.WindowWidth - 1);
                var line = $"{Signs[i % Signs.Length]} {_step} ({_time.GetElapsedTime(_started).TotalSeconds:F0}s)";
                _terminal.Error.Write($"\r\e[K{(line.Length > width ? line[..width] : line)}");
                _terminal.Error.Flush();
            }

            await Task.Delay(Frame, _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
