using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Fairlead.Contracts.Errors;

namespace Fairlead.Cli.Verbs;

/// <summary>A command of the user's that has the terminal while it runs.</summary>
internal static class ForegroundCommand
{
    /// <summary>
    /// Runs it to its end. Ctrl-C and Ctrl-\ reach it from the terminal, as it is of the same process group, and are its to judge: they don't end this process meanwhile.
    /// </summary>
    /// <returns>Its exit code.</returns>
    /// <exception cref="FairleadException">It can't be started.</exception>
    public static async Task<int> RunAsync(IReadOnlyList<string> words)
    {
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Ignore);
        using var quit = PosixSignalRegistration.Create(PosixSignal.SIGQUIT, Ignore);
        try
        {
            using var process = Process.Start(new ProcessStartInfo(words[0], words.Skip(1)) { UseShellExecute = false })
                ?? throw NotStarted(words[0], "it did not start", null);
            using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
            {
                signal.Cancel = true;
                process.Kill();
            });
            await process.WaitForExitAsync(CancellationToken.None);
            return process.ExitCode;
        }
        catch (Win32Exception e)
        {
            throw NotStarted(words[0], e.Message, e);
        }
    }

    private static void Ignore(PosixSignalContext signal) => signal.Cancel = true;

    private static FairleadException NotStarted(string program, string why, Exception? inner) =>
        new(ErrorCategory.Failed, "command-failed", $"'{program}' can't be run", why, "Behind -- stands a program that is in the PATH, and its arguments.", inner);
}
