using System.Text;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Settings;

/// <summary>
/// The daemon's log: the last lines in memory for <c>fairlead logs</c>, all of them in a file, which is rotated. Logging never
/// fails and never blocks on anything but the disk. Thread-safe.
/// </summary>
internal sealed class DaemonLog : ILoggerProvider
{
    /// <summary>Kept in memory: about what a person scrolls through, some hundred kilobytes.</summary>
    internal const int MaxLines = 2000;

    /// <summary>Of the file; one older file is kept beside it.</summary>
    internal const long MaxFileLength = 4 << 20;

    /// <summary>Of one line: a log is no place for more.</summary>
    private const int MaxLineLength = 4096;

    private readonly string path;
    private readonly TimeProvider time;
    private readonly Lock gate = new();
    private readonly Queue<string> lines = new();
    private long firstNumber;
    private StreamWriter? file;

    /// <param name="directory">Created when missing; when it can't be written the log is in memory only.</param>
    /// <param name="name">Of the file. Several processes may write one: each line is written at once.</param>
    public DaemonLog(string directory, TimeProvider time, string name = "daemon.log")
    {
        path = Path.Combine(directory, name);
        this.time = time;
    }

    public LogLevel Level { get; set; } = LogLevel.Information;

    public Signal Written { get; } = new();

    public ILogger CreateLogger(string categoryName) => new CategoryLogger(this, categoryName[(categoryName.LastIndexOf('.') + 1)..]);

    /// <summary>Lines from number <paramref name="from"/> on (older ones may be gone already), and the number of the next line to come.</summary>
    public (IReadOnlyList<string> Lines, long Next) Read(long from)
    {
        lock (gate)
        {
            return ([.. lines.Skip((int)Math.Clamp(from - firstNumber, 0, lines.Count))], firstNumber + lines.Count);
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            file?.Dispose();
            file = null;
        }
    }

    private void Write(LogLevel level, string category, string message, Exception? exception)
    {
        var text = $"{time.GetUtcNow():yyyy-MM-ddTHH:mm:ss.fffZ} {Word(level)} {category}: {Flatten(message)}{(exception is null ? "" : " | " + Flatten(exception.ToString()))}";
        text = text.Length <= MaxLineLength ? text : text[..MaxLineLength] + "…";
        lock (gate)
        {
            lines.Enqueue(text);
            if (lines.Count > MaxLines)
            {
                lines.Dequeue();
                firstNumber++;
            }

            WriteFile(text);
        }

        Written.Pulse();
    }

    private void WriteFile(string text)
    {
        try
        {
            if (file is { } open && open.BaseStream.Length > MaxFileLength)
            {
                open.Dispose();
                file = null;
                File.Move(path, path + ".1", overwrite: true);
            }

            file ??= Open();
            file.WriteLine(text);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A full disk: the lines in memory are all there is. Opened again with the next line.
            file = null;
        }
    }

    private StreamWriter Open()
    {
        Recovery.PrivateFile.CreateDirectory(Path.GetDirectoryName(path)!);
        var options = new FileStreamOptions { Mode = FileMode.Append, Access = FileAccess.Write, Share = FileShare.ReadWrite };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return new StreamWriter(new FileStream(path, options), new UTF8Encoding(false)) { AutoFlush = true };
    }

    /// <summary>One event is one line; what others sent us can't forge another.</summary>
    private static string Flatten(string text) => text.Any(char.IsControl)
        ? string.Concat(text.ReplaceLineEndings(" ⏎ ").Select(c => char.IsControl(c) ? ' ' : c))
        : text;

    private static string Word(LogLevel level) => level switch
    {
        LogLevel.Trace or LogLevel.Debug => "debug",
        LogLevel.Information => "info ",
        LogLevel.Warning => "warn ",
        _ => "error",
    };

    private sealed class CategoryLogger(DaemonLog log, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= log.Level && logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                log.Write(logLevel, category, formatter(state, exception), exception);
            }
        }
    }
}
