using System.Diagnostics;
using Fairlead.Contracts.Errors;

namespace Fairlead;

/// <summary>This program again, in the background.</summary>
internal static class DetachedProcess
{
    /// <summary>
    /// A session of its own: it outlives this terminal, and nothing of it holds the terminal's streams open. The youngest generation of its heap is
    /// collected at 8 MiB, not at the size of the processor's cache, which would stay resident after each burst of changes.
    /// </summary>
    private const string Detached = """
        umask 077
        cd /
        log=$1; shift
        export DOTNET_GCgen0size=800000
        exec setsid "$@" </dev/null >"$log" 2>&1
        """;

    private const string Orphaned = """
        umask 077
        cd /
        log=$1; shift
        export DOTNET_GCgen0size=800000
        setsid "$@" </dev/null >>"$log" 2>&1 &
        """;

    /// <param name="log">Takes what it writes; begun anew. Its directory exists.</param>
    /// <param name="arguments">Paths among them are absolute: it changes to the root directory.</param>
    /// <exception cref="FairleadException"/>
    public static Process Start(string log, IEnumerable<string> arguments)
    {
        return Process.Start(new ProcessStartInfo("/bin/sh", ["-c", Detached, "sh", log, Program(), .. arguments]) { UseShellExecute = false }) ?? throw NoProcess();
    }

    /// <summary>
    /// As <see cref="Start"/>, but it is no child of this process, which may become a program that waits for all its children. What it writes is added to the log.
    /// It inherits open descriptors that are not close-on-exec.
    /// </summary>
    /// <exception cref="FairleadException"/>
    public static void StartOrphan(string log, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", Orphaned, "sh", log, Program(), .. arguments]) { UseShellExecute = false };
        using var shell = Process.Start(start) ?? throw NoProcess();
        shell.WaitForExit();
    }

    /// <exception cref="FairleadException"/>
    public static void MakeDirectory(string directory, string hint)
    {
        try
        {
            Directory.CreateDirectory(directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new FairleadException(ErrorCategory.Failed, "run-directory", $"The directory {directory} can't be made", e.Message, hint, e);
        }
    }

    /// <exception cref="FairleadException"/>
    public static string Program() => Environment.ProcessPath
        ?? throw new FairleadException(ErrorCategory.Failed, "program-unknown", "The program can't start itself", "this process does not know its own program");

    private static FairleadException NoProcess() => new(ErrorCategory.Failed, "program-start", "The program can't start itself", "no process was made");
}
