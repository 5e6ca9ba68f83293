using System.Diagnostics;
using System.Globalization;
using Fairlead.Linux.Namespaces;

namespace Fairlead.Sandbox.Nodes;

/// <summary>
/// A running container: <c>unshare</c> (or <c>nsenter</c> into the PID namespace of another container), and below it the container's
/// first process, whose end ends every process of its PID namespace. Owns the process and its streams.
/// </summary>
internal sealed class ContainerProcess : IAsyncDisposable
{
    /// <summary>Milliseconds; a start takes some tens.</summary>
    private const int Poll = 2;

    private readonly Process process;
    private readonly PseudoTerminal? terminal;
    private readonly Task<int> exited;

    private ContainerProcess(Process process, PseudoTerminal? terminal)
    {
        this.process = process;
        this.terminal = terminal;
        exited = WaitAsync(process);
    }

    internal Stream Stdin => terminal?.Stream ?? process.StandardInput.BaseStream;

    internal Stream Stdout => terminal?.Stream ?? process.StandardOutput.BaseStream;

    /// <summary>With a terminal there is no separate error stream.</summary>
    internal Stream Stderr => terminal is null ? process.StandardError.BaseStream : Stream.Null;

    /// <summary>The exit code, 128 + signal when a signal ended it.</summary>
    internal Task<int> Exited => exited;

    /// <summary>The first process of the container, as this process sees it; 0 until it is there.</summary>
    internal int InitPid { get; private set; }

    /// <summary>Returns when the container's root is in place, or when it has ended before.</summary>
    /// <param name="script">A script of <see cref="StartScript"/>, in a file.</param>
    /// <param name="started">The file that the script makes.</param>
    /// <param name="targetPid">Share the PID namespace of this process instead of making one.</param>
    internal static async Task<ContainerProcess> StartAsync(
        NetworkNamespace network, string script, string started, bool tty, int? targetPid, CancellationToken cancellationToken)
    {
        List<string> words = targetPid is { } target
            ? ["/usr/bin/nsenter", $"--pid=/proc/{target}/ns/pid", "--", "/usr/bin/unshare", "--mount", "--uts", "--ipc", "--", "/bin/sh", script]
            : ["/usr/bin/unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child=SIGKILL", "--", "/bin/sh", script];
        var container = Start(network, words, tty, [new("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")]);
        try
        {
            await container.FindInitAsync(cancellationToken);
            while (!File.Exists(started) && !container.exited.IsCompleted)
            {
                await Task.Delay(Poll, cancellationToken);
            }

            return container;
        }
        catch
        {
            await container.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts a command in a network namespace with pipes or, with <paramref name="tty"/>, on a terminal of its own.</summary>
    internal static ContainerProcess Start(
        NetworkNamespace? network, IReadOnlyList<string> words, bool tty, IEnumerable<KeyValuePair<string, string>> environment)
    {
        var terminal = tty ? PseudoTerminal.Open() : null;
        IReadOnlyList<string> command = terminal is null
            ? words
            : ["/bin/sh", "-c", "pts=$1; shift; exec /usr/bin/setsid --ctty -- \"$@\" <\"$pts\" >\"$pts\" 2>&1", "sh", terminal.Path, .. words];
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        try
        {
            var process = network is null ? Process.Start(start) : network.Run(() => Process.Start(start));
            return new ContainerProcess(process ?? throw new IOException($"cannot start {command[0]}"), terminal);
        }
        catch
        {
            terminal?.Dispose();
            throw;
        }
    }

    /// <summary>Signals the container's first process; false when it has ended.</summary>
    internal bool Signal(int signal) => !exited.IsCompleted && InitPid > 1 && ProcessSignal.Send(InitPid, signal);

    /// <summary>The process reads end of file, as from /dev/null. A terminal stays open.</summary>
    internal void CloseStdin()
    {
        if (terminal is null)
        {
            process.StandardInput.Close();
        }
    }

    internal void Resize(int columns, int rows) => terminal?.Resize(columns, rows);

    /// <summary>Ends it at once if it still runs.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!exited.IsCompleted)
        {
            // unshare and nsenter end once they have reaped the container's first process: killing them, too, would leave that to nobody.
            if (!Signal(ProcessSignal.Kill))
            {
                process.Kill(entireProcessTree: true);
            }

            await exited;
        }

        process.Dispose();
        terminal?.Dispose();
    }

    private static async Task<int> WaitAsync(Process process)
    {
        // Not WaitForExitAsync on redirected streams: it would wait for readers that are ours to run.
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        process.Exited += (_, _) => done.TrySetResult();
        process.EnableRaisingEvents = true;
        if (!process.HasExited)
        {
            await done.Task;
        }

        return process.ExitCode;
    }

    private async Task FindInitAsync(CancellationToken cancellationToken)
    {
        var children = $"/proc/{process.Id}/task/{process.Id}/children";
        while (!exited.IsCompleted && InitPid == 0)
        {
            try
            {
                var first = (await File.ReadAllTextAsync(children, cancellationToken)).Split(' ')[0];
                if (int.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
                {
                    InitPid = pid;
                    return;
                }
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
            {
                return;
            }

            await Task.Delay(Poll, cancellationToken);
        }
    }
}
