using System.Diagnostics;
using Fairlead.Cli.Hosting;
using Fairlead.Contracts.Errors;
using Fairlead.Linux.Enclosure;

namespace Fairlead;

/// <summary>Drives podman or docker by their command lines, which are the same as far as they are used here.</summary>
internal sealed class ContainerDaemon : IContainerDaemon
{
    /// <summary>Of the container, which others join by <c>--network container:fairlead</c>, and of the volume with its spaces.</summary>
    private const string Name = "fairlead";

    private const string StateVolume = "fairlead-state";
    private const string Program = "/opt/fairlead-daemon/fairlead";
    private static readonly string[] Engines = ["podman", "docker"];
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);

    /// <summary>Those that this user could run, the first one is taken.</summary>
    public static IEnumerable<string> Installed => Engines.Where(engine => ProgramReplacement.Find(engine, Environment.GetEnvironmentVariable("PATH")) is not null);

    private static string Directory => Path.Combine(Path.GetDirectoryName(OwnState.Directory(Environment.GetEnvironmentVariable))!, "container");

    public string Socket => Path.Combine(Directory, "daemon.sock");

    public async Task StartAsync(string? image, CancellationToken cancellationToken)
    {
        var engine = Engine();
        if (await IsRunningAsync(engine, cancellationToken))
        {
            return;
        }

        // What a container that ended left behind: its name, its socket.
        await RunAsync(engine, ["rm", "--force", Name], cancellationToken);
        DetachedProcess.MakeDirectory(Directory, "Set XDG_STATE_HOME to a directory of yours.");
        File.Delete(Socket);
        string[] arguments =
        [
            "run", "--detach", "--name", Name, "--user", "0:0", "--device", "/dev/net/tun", "--cap-add", "NET_ADMIN",
            "--volume", $"{Directory}:/run/fairlead", "--volume", $"{StateVolume}:/var/lib/fairlead", "--entrypoint", Program, image ?? DefaultImage, "daemon",
        ];
        if (await RunAsync(engine, arguments, cancellationToken) is { ExitCode: not 0 } refused)
        {
            throw new FairleadException(ErrorCategory.Failed, "container-start", $"{engine} can't start the daemon's container", refused.Said, $"Is the image there? '{engine} image ls'; another one: --image NAME (docs/image.md).");
        }

        var since = TimeProvider.System.GetTimestamp();
        while (!File.Exists(Socket))
        {
            if (!await IsRunningAsync(engine, cancellationToken) || TimeProvider.System.GetElapsedTime(since) > StartTimeout)
            {
                throw new FairleadException(ErrorCategory.Failed, "container-start", "The daemon in the container does not answer", (await RunAsync(engine, ["logs", Name], cancellationToken)).Said, $"{engine} logs {Name}");
            }

            await Task.Delay(PollInterval, cancellationToken);
        }
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        var engine = Engine();
        if (await RunAsync(engine, ["rm", "--force", Name], cancellationToken) is { ExitCode: not 0 } refused)
        {
            throw new FairleadException(ErrorCategory.Failed, "container-stop", $"{engine} can't remove the daemon's container", refused.Said, $"{engine} rm --force {Name}");
        }
    }

    /// <summary>As <c>deploy/image/build</c> tags it.</summary>
    private static string DefaultImage => "docker.io/fairlead/fairlead:dev";

    private static string Engine() => Installed.FirstOrDefault() ?? throw new FairleadException(
        ErrorCategory.Failed, "engine-missing", "There is no container engine", "neither podman nor docker is installed", "Install one; or, for one command and without an engine: fairlead run -- COMMAND");

    private static async Task<bool> IsRunningAsync(string engine, CancellationToken cancellationToken) =>
        await RunAsync(engine, ["container", "inspect", "--format", "{{.State.Running}}", Name], cancellationToken) is { ExitCode: 0, Said: "true" };

    private static async Task<(int ExitCode, string Said)> RunAsync(string engine, IEnumerable<string> arguments, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(engine, arguments) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start) ?? throw new FairleadException(ErrorCategory.Failed, "engine-start", $"{engine} can't be started");
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var error = process.StandardError.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        return (process.ExitCode, (process.ExitCode == 0 ? await output : await error).Trim());
    }
}
