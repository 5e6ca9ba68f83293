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
    private const string TunDevice = "/dev/net/tun";
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
            if (image is not null)
            {
                await RequireImageAsync(engine, image, cancellationToken);
            }

            return;
        }

        // What a container that ended left behind: its name, its socket.
        await RunAsync(engine, ["rm", "--force", Name], cancellationToken);
        DetachedProcess.MakeDirectory(Directory, "Set XDG_STATE_HOME to a directory of yours.");
        File.Delete(Socket);
        // The image of this version comes from deploy/image/build; a registry that has one of its name has a stranger's.
        string[] arguments =
        [
            "run", "--detach", .. image is null ? (IEnumerable<string>)["--pull=never"] : [], "--name", Name, "--user", "0:0", "--device", TunDevice, "--cap-add", "NET_ADMIN",
            "--volume", $"{Directory}:/run/fairlead", "--volume", $"{StateVolume}:/var/lib/fairlead", "--entrypoint", Program, image ?? DefaultImage, "daemon",
        ];
        if (await RunAsync(engine, arguments, cancellationToken) is { ExitCode: not 0 } refused)
        {
            // Made and not started: gone again, so that only what was refused has to be mended.
            await RunAsync(engine, ["rm", "--force", Name], cancellationToken);
            throw new FairleadException(await ExplainAsync(engine, image ?? DefaultImage, refused.Said, cancellationToken));
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

        // Socket and journal were the container's: what the journal names was in its network, which is gone.
        if (System.IO.Directory.Exists(Directory))
        {
            System.IO.Directory.Delete(Directory, recursive: true);
        }
    }

    /// <summary>That the container which runs was made from this image, by the engine's id of it: a name may have come to mean another one since.</summary>
    private static async Task RequireImageAsync(string engine, string image, CancellationToken cancellationToken)
    {
        var container = (await RunAsync(engine, ["container", "inspect", "--format", "{{.Image}} {{.Config.Image}}", Name], cancellationToken)).Said.Split(' ', 2);
        var wanted = await RunAsync(engine, ["image", "inspect", "--format", "{{.Id}}", image], cancellationToken);
        if (wanted.ExitCode != 0 || WithoutAlgorithm(wanted.Said) != WithoutAlgorithm(container[0]))
        {
            throw new FairleadException(OtherImage(container[^1], image));
        }

        static string WithoutAlgorithm(string id) => id[(id.IndexOf(':', StringComparison.Ordinal) + 1)..];
    }

    /// <param name="running">What the container that runs was started from.</param>
    /// <param name="wanted">What was asked for.</param>
    internal static ErrorInfo OtherImage(string running, string wanted) => new(
        ErrorCategory.Conflict,
        "container-image",
        "The daemon's container runs already, from another image",
        running == wanted ? $"{wanted} is not what it was when the container was started from it" : $"it was started from {running}, not from {wanted}",
        $"fairlead disconnect --docker, then fairlead connect --docker --image {wanted}; or leave out --image");

    /// <summary>Why the container could not be started, the likeliest cause first.</summary>
    private static async Task<ErrorInfo> ExplainAsync(string engine, string image, string said, CancellationToken cancellationToken)
    {
        var engineSays = await RunAsync(engine, ["info"], cancellationToken);
        var isThere = engineSays.ExitCode == 0 && (await RunAsync(engine, ["image", "inspect", image], cancellationToken)).ExitCode == 0;
        return Explain(engine, image, said, engineSays.ExitCode == 0 ? null : engineSays.Said, isThere, File.Exists(TunDevice));
    }

    /// <param name="said">By the engine, when it refused.</param>
    /// <param name="engineProblem">What the engine says of itself when it doesn't answer; null when it does.</param>
    /// <param name="hasImage">Whether the engine has the image.</param>
    /// <param name="hasTun">Whether this host has the device that makes TUN devices.</param>
    internal static ErrorInfo Explain(string engine, string image, string said, string? engineProblem, bool hasImage, bool hasTun) => (engineProblem, hasImage, hasTun) switch
    {
        ({ } problem, _, _) => new ErrorInfo(ErrorCategory.Failed, "engine-down", $"{engine} does not answer", problem, engine == "docker" ? "sudo systemctl start docker" : $"{engine} info"),
        (_, false, _) => new ErrorInfo(
            ErrorCategory.Failed, "image-missing", $"{engine} does not have the image {image}", said, $"deploy/image/build, then {engine} load --input artifacts/image/fairlead.tar; another image: --image NAME"),
        (_, _, false) => new ErrorInfo(ErrorCategory.Failed, "tun-missing", "The daemon's container can't have a TUN device", $"this host has no {TunDevice}", "sudo modprobe tun"),
        _ => new ErrorInfo(ErrorCategory.Failed, "container-start", $"{engine} can't start the daemon's container", said, $"{engine} info"),
    };

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
