using System.Globalization;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Fairlead.Cli.Hosting;
using Fairlead.Companion.Hosting;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Run;
using Fairlead.Linux.Enclosure;
using Fairlead.Linux.Peers;
using Fairlead.Platform;

namespace Fairlead;

/// <summary>
/// The processes of <c>fairlead run</c>. The one that was started becomes <c>unshare</c>, that becomes <c>fairlead run-inside</c> in namespaces of its own, and that the
/// command: one process id throughout, so that the terminal, signals and the exit code are the command's without anybody in between. What carries the network
/// stays outside, in a session of its own, and ends with that process.
/// </summary>
internal sealed class RunProcess : IRunProcess
{
    // As a shell says it.
    private const int NotExecutable = 126;
    private const int NotFound = 127;

    public async Task<int> RunAsync(RunRequest request, IReadOnlyList<string> command, IProgress<string>? progress, Action<string> warn, CancellationToken cancellationToken)
    {
        if (await EnclosureProbe.FindObstacleAsync(cancellationToken) is { } obstacle)
        {
            throw new FairleadException(ErrorCategory.Denied, "namespaces-forbidden", "'fairlead run' can't make a private network here", obstacle.Reason, obstacle.Hint);
        }

        if (CheckCommand(command[0]) is { } code)
        {
            return code;
        }

        var (ours, theirs) = DescriptorChannel.CreatePair();
        using (ours)
        {
            using (theirs)
            {
                RunCarrier.Start(request, DescriptorChannel.LetInherit(theirs));
            }

            var ready = await AwaitAsync(ours, news => news.Ready, progress, cancellationToken);
            if (progress is IAsyncDisposable line)
            {
                await line.DisposeAsync();
            }

            foreach (var warning in ready.Warnings ?? [])
            {
                warn(warning);
            }

            if (!Console.IsOutputRedirected)
            {
                // .NET put the keypad into its application mode (terminfo rmkx); the command expects the usual one.
                await Console.Out.WriteAsync("\e[?1l\e>");
            }

            var channel = DescriptorChannel.LetInherit(ours).ToString(CultureInfo.InvariantCulture);
            return Become(ProgramReplacement.Replace, EnclosureProbe.Enter[0], [.. EnclosureProbe.Enter, DetachedProcess.Program(), "run-inside", "--channel", channel, "--", .. command]);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public Task CarryAsync(RunRequest request, int channel, int pid, CancellationToken cancellationToken) =>
        RunCarrier.RunAsync(new RunOptions(request.Space, request.Consume, request.Namespace), channel, pid, Open, cancellationToken);

    public async Task<int> EnterAsync(int channel, IReadOnlyList<string> command, CancellationToken cancellationToken)
    {
        // Closed by the command's start (close-on-exec), not before: by that the carrier knows that it runs.
        var socket = DescriptorChannel.Inherited(channel);
        try
        {
            // The sockets stay open with whoever carries; here they are closed by the start of the command, too.
            var network = EnclosedNetwork.Create();
            var device = network.Device;
            DescriptorChannel.Send(
                socket,
                JsonSerializer.SerializeToUtf8Bytes(new RunDevices(device.Name, device.Index, device.Mtu, device.Address.ToString(), device.Address6?.ToString()), RunJson.Default.RunDevices),
                network.Handles);
            var files = (await AwaitAsync(socket, news => news.Files is not null, null, cancellationToken)).Files!;
            EnclosedFiles.Replace("/etc", new Dictionary<string, string> { ["hosts"] = files.Hosts, ["resolv.conf"] = files.ResolvConf }, "/tmp");
            EnclosedFiles.Empty(EnclosedFiles.ResolverDirectories);
        }
        catch (HostException e)
        {
            throw new FairleadException(ErrorCategory.Failed, "private-network", "The private network can't be made", e.Message, e.Hint ?? "fairlead doctor", e);
        }

        return Become(EnclosedProgram.Become, command[0], command);
    }

    public async Task<SpaceStatus> JoinAsync(JoinRequest request, CancellationToken cancellationToken)
    {
        using var cluster = new UserCluster();
        await using var spaces = Open(cluster);
        return await spaces.JoinAsync(request, cancellationToken);
    }

    public async Task<string> LeaveAsync(string? space, CancellationToken cancellationToken)
    {
        using var cluster = new UserCluster();
        await using var spaces = Open(cluster);
        return await spaces.LeaveAsync(space, cancellationToken);
    }

    public async Task UseAsync(string space, CancellationToken cancellationToken)
    {
        using var cluster = new UserCluster();
        await using var spaces = Open(cluster);
        await spaces.UseAsync(space, cancellationToken);
    }

    public async Task<SpaceList> ListAsync(CancellationToken cancellationToken)
    {
        using var cluster = new UserCluster();
        await using var spaces = Open(cluster);
        return spaces.List();
    }

    public async Task<IReadOnlyList<DoctorCheck>> ExamineAsync(CancellationToken cancellationToken)
    {
        var obstacle = await EnclosureProbe.FindObstacleAsync(cancellationToken);
        return
        [
            obstacle is null
                ? new DoctorCheck("private networks", CheckResult.Ok, "You can have private networks: 'fairlead run' works.", null)
                : new DoctorCheck("private networks", CheckResult.Warning, $"'fairlead run' can't work: {obstacle.Reason}.", obstacle.Hint),
            new DoctorCheck("containers", CheckResult.Ok, ContainerDaemon.Installed.ToList() is { Count: > 0 } engines
                ? $"{string.Join(" and ", engines)} {(engines.Count > 1 ? "are" : "is")} there: 'fairlead connect --docker' uses {engines[0]}."
                : "There is no container engine, which only 'fairlead connect --docker' needs.", null),
        ];
    }

    /// <summary>A kubeconfig may name programs, and those never run as root for somebody else; nor would the key be that person's.</summary>
    private static OwnSpaces Open(IUserCluster cluster)
    {
        CompanionOptions.RequireOwnUser(Environment.IsPrivilegedProcess, Environment.GetEnvironmentVariable);
        return OwnSpaces.Open(new OwnSpacesOptions(OwnState.Directory(Environment.GetEnvironmentVariable), ProcessIdentity.User), cluster);
    }

    /// <summary>Reads what the carrier says until it is what is waited for.</summary>
    /// <exception cref="FairleadException">It failed, or ended.</exception>
    private static async Task<RunNews> AwaitAsync(Socket channel, Func<RunNews, bool> isIt, IProgress<string>? progress, CancellationToken cancellationToken)
    {
        await using var stream = new NetworkStream(channel, ownsSocket: false);
        await foreach (var news in JsonLines.ReadAsync(stream, RunJson.Default.RunNews, RunNews.MaxLine, cancellationToken))
        {
            if (news.Error is { } error)
            {
                throw new FairleadException(error);
            }

            if (isIt(news))
            {
                return news;
            }

            if (news.Progress is { } step)
            {
                progress?.Report(step);
            }
        }

        throw new FairleadException(ErrorCategory.Failed, "run-carrier", "What carries the command's network has ended", $"{RunCarrier.LogFile} may say why", "Try again.");
    }

    /// <summary>Before anything is made: a typing error costs no second.</summary>
    private static int? CheckCommand(string command) => ProgramReplacement.Find(command, Environment.GetEnvironmentVariable("PATH")) switch
    {
        null => Say(command, "not found", NotFound),
        var path when Directory.Exists(path) || !ProgramReplacement.IsExecutable(path) => Say(command, "can't be executed", NotExecutable),
        _ => null,
    };

    private static int Become(Action<string, IReadOnlyList<string>> become, string program, IReadOnlyList<string> arguments)
    {
        if (ProgramReplacement.Find(program, Environment.GetEnvironmentVariable("PATH")) is not { } path)
        {
            return Say(program, "not found", NotFound);
        }

        try
        {
            become(path, arguments);
            return 0;
        }
        catch (HostException e)
        {
            return Say(program, e.Message, e is HostDeniedException ? NotExecutable : NotFound);
        }
    }

    private static int Say(string command, string what, int code)
    {
        Console.Error.WriteLine($"fairlead: {command}: {what}");
        return code;
    }
}
