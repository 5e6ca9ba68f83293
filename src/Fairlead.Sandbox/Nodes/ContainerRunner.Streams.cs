using System.Text;
using Fairlead.Sandbox.ApiServer;

namespace Fairlead.Sandbox.Nodes;

/// <summary>What the API asks of a running container: exec, attach, logs.</summary>
internal sealed partial class ContainerRunner
{
    private const int ProbeOutput = 1024;

    /// <exception cref="StatusException">It is not running.</exception>
    internal ContainerProcess Exec(IReadOnlyList<string> command, bool tty)
    {
        if (process is not { Exited.IsCompleted: false } running || plan is not { } current || running.InitPid == 0)
        {
            throw new StatusException(400, "BadRequest", $"container {Name} is not running");
        }

        var environment = tty ? [.. current.Environment, new("TERM", "xterm")] : current.Environment;
        return ContainerProcess.Start(
            scope.Network.Namespace,
            [
                "/usr/bin/nsenter", $"--target={running.InitPid}", "--mount", "--uts", "--ipc", "--pid", $"--wdns={current.WorkingDirectory}", "--",
                "/usr/bin/setpriv", .. current.Identity.SetPrivArguments(), "--", .. command,
            ],
            tty, environment);
    }

    internal IExecSession OpenExec(ExecRequest request)
    {
        var started = Exec(request.Command, request.Tty);
        if (!request.Stdin && !request.Tty)
        {
            started.CloseStdin();
        }

        return new ExecSession(started, request);
    }

    internal IExecSession OpenAttach(ExecRequest request)
    {
        lock (gate)
        {
            return process is { Exited.IsCompleted: false } running && output is { } printed
                ? new AttachSession(running, printed, request, plan?.Stdin == true)
                : throw new StatusException(400, "BadRequest", $"container {Name} is not running");
        }
    }

    internal Stream OpenLog(LogOptions options)
    {
        var wanted = options.Previous ? previousLog : log;
        return wanted is null
            ? throw new StatusException(400, "BadRequest", options.Previous
                ? $"previous terminated container \"{Name}\" in pod \"{scope.Pod["metadata"]?["name"]}\" not found"
                : $"container \"{Name}\" in pod \"{scope.Pod["metadata"]?["name"]}\" is waiting to start: {Status.State.Reason}")
            : new LogStream(wanted, options);
    }

    private async Task<(int Code, string Output)> ExecForProbeAsync(IReadOnlyList<string> command, CancellationToken cancellationToken)
    {
        ContainerProcess started;
        try
        {
            started = Exec(command, tty: false);
        }
        catch (StatusException e)
        {
            return (1, e.Message);
        }

        await using (started)
        {
            started.CloseStdin();
            var texts = await Task.WhenAll(FirstBytesAsync(started.Stdout, cancellationToken), FirstBytesAsync(started.Stderr, cancellationToken));
            return (await started.Exited.WaitAsync(cancellationToken), string.Concat(texts).Trim());
        }
    }

    /// <summary>Reads to the end and keeps the beginning.</summary>
    private static async Task<string> FirstBytesAsync(Stream stream, CancellationToken cancellationToken)
    {
        var kept = new MemoryStream();
        var buffer = new byte[4096];
        int read;
        while ((read = await stream.ReadAsync(buffer, cancellationToken)) > 0)
        {
            kept.Write(buffer, 0, Math.Min(read, ProbeOutput - (int)kept.Length));
        }

        return Encoding.UTF8.GetString(kept.ToArray());
    }
}
