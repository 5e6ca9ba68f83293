using System.Diagnostics;
using System.Text;

namespace Fairlead.Testbed;

public sealed record Outcome(string Command, int ExitCode, string Output, string Error)
{
    /// <summary>Standard output without the final line break, once the command is known to have succeeded.</summary>
    public string Text
    {
        get
        {
            return ShouldSucceed().Output.TrimEnd('\n');
        }
    }

    public Outcome ShouldSucceed() => ShouldExit(0);

    public Outcome ShouldFail(int exitCode) => ShouldExit(exitCode);

    private Outcome ShouldExit(int expected) => ExitCode == expected
        ? this
        : throw new UnexpectedExitException($"{Command}\nended with {ExitCode}, not {expected}\n--- stdout\n{Output}\n--- stderr\n{Error}");
}

/// <summary>A command ended otherwise than it should; the message holds all it said.</summary>
public sealed class UnexpectedExitException(string message) : Exception(message);

/// <summary>Runs real programs, always with a time limit, never through anything but an argument list.</summary>
public static class Shell
{
    public static readonly TimeSpan DefaultLimit = TimeSpan.FromSeconds(60);

    public static async Task<Outcome> RunAsync(IReadOnlyList<string> command, string? input = null, TimeSpan? limit = null, IReadOnlyDictionary<string, string>? environment = null)
    {
        using var process = Start(command, environment);
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        var text = string.Join(' ', command);
        try
        {
            if (input is not null)
            {
                await process.StandardInput.WriteAsync(input);
            }

            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading its input: its exit code tells the rest.
        }

        using var timeout = new CancellationTokenSource(limit ?? DefaultLimit);
        try
        {
            await process.WaitForExitAsync(timeout.Token);
            // A daemon that it started may hold the pipes: what was written until now is the output.
            await Task.WhenAll(output, error).WaitAsync(TimeSpan.FromSeconds(5));
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            return new Outcome(text, -1, output.IsCompleted ? await output : "", $"no end within {(limit ?? DefaultLimit).TotalSeconds} s\n{(error.IsCompleted ? await error : "")}");
        }
        catch (TimeoutException)
        {
            return new Outcome(text, process.ExitCode, output.IsCompleted ? await output : "", "its output stays open: " + (error.IsCompleted ? await error : ""));
        }

        return new Outcome(text, process.ExitCode, await output, await error);
    }

    public static Process Start(IReadOnlyList<string> command, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(command[0])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
        };
        foreach (var argument in command.Skip(1))
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var (key, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[key] = value;
        }

        return Process.Start(start) ?? throw new InvalidOperationException($"cannot start {command[0]}");
    }

    /// <summary>Repeats until the condition holds; what it was waiting for is in the failure.</summary>
    public static async Task EventuallyAsync(string what, Func<Task<bool>> condition, TimeSpan? limit = null)
    {
        var clock = Stopwatch.StartNew();
        Exception? last = null;
        while (clock.Elapsed < (limit ?? TimeSpan.FromSeconds(30)))
        {
            try
            {
                if (await condition())
                {
                    return;
                }

                last = null;
            }
            catch (Exception e)
            {
                last = e;
            }

            await Task.Delay(50);
        }

        throw new TimeoutException($"{what}: not within {(limit ?? TimeSpan.FromSeconds(30)).TotalSeconds} s" + (last is null ? "" : $" (last: {last.Message})"), last);
    }
}
