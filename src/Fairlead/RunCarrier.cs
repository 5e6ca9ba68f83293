using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Fairlead.Cli.Hosting;
using Fairlead.Companion.Hosting;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Run;
using Fairlead.Linux;
using Fairlead.Linux.Enclosure;
using Fairlead.Linux.Tun;
using Fairlead.Platform;
using Fairlead.Platform.Capture;
using Fairlead.Platform.Journal;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Tls;

namespace Fairlead;

/// <summary>The process that carries the network of one command: outside its namespaces, as the same user, until the command has ended.</summary>
internal static class RunCarrier
{
    private const int MaxDevicesLine = 4096;

    public static string LogFile => Path.Combine(OwnState.Directory(Environment.GetEnvironmentVariable), "run.log");

    /// <summary>Starts it for this process, whatever this becomes.</summary>
    /// <param name="channel">Number of the descriptor that leads back here.</param>
    public static void Start(RunRequest request, int channel)
    {
        List<string> arguments =
        [
            "run-carry", "--channel", channel.ToString(CultureInfo.InvariantCulture), "--pid", Environment.ProcessId.ToString(CultureInfo.InvariantCulture),
            .. request.Consume.SelectMany(rule => new[] { "--consume", rule }),
        ];
        arguments.AddRange(request.Space is { } space ? ["--space", space] : []);
        arguments.AddRange(request.Namespace is { } ns ? ["--namespace", ns] : []);
        DetachedProcess.MakeDirectory(Path.GetDirectoryName(LogFile)!, "Set XDG_STATE_HOME to a directory of yours.");
        DetachedProcess.StartOrphan(LogFile, arguments);
    }

    public static async Task RunAsync(RunOptions options, int channel, int pid, Func<IUserCluster, OwnSpaces> open, CancellationToken cancellationToken)
    {
        SocketThreads.CompleteInline();
        TlsBuffers.ReleaseWhenIdle();
        using var socket = DescriptorChannel.Inherited(channel);
        await using var stream = new NetworkStream(socket, ownsSocket: false);
        using var command = ProcessEnd.Watch(pid);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var stop = StopWithAsync(command, ending);
        try
        {
            await CarryAsync(options, socket, stream, open, ending.Token);
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            // The command has ended, or this is stopped.
        }
        catch (FairleadException e)
        {
            await TellAsync(stream, new RunNews(Error: e.Error));
        }
        catch (HostException e)
        {
            await TellAsync(stream, new RunNews(Error: new ErrorInfo(ErrorCategory.Failed, "private-network", "The private network can't be served", e.Message, e.Hint ?? "fairlead doctor")));
        }
        finally
        {
            await ending.CancelAsync();
            await stop;
        }
    }

    private static async Task CarryAsync(RunOptions options, Socket socket, NetworkStream stream, Func<IUserCluster, OwnSpaces> open, CancellationToken cancellationToken)
    {
        using var cluster = new UserCluster();
        await using var spaces = open(cluster);
        var directory = Path.GetDirectoryName(LogFile)!;
        var host = new LinuxHost(new LinuxHostPaths() with { StateDirectory = directory, RunDirectory = directory });
        host.RaiseOpenFileLimit();
        await using var session = await RunSession.OpenAsync(spaces, options, host.OpenResolver(NothingChanges.Instance), TimeProvider.System, cancellationToken);
        await TellAsync(stream, new RunNews(Ready: true, Warnings: session.Warnings));

        await socket.ReceiveAsync(Memory<byte>.Empty, cancellationToken);
        var line = new byte[MaxDevicesLine];
        var (length, handles) = DescriptorChannel.Receive(socket, line);
        if (length == 0)
        {
            return;
        }

        var told = JsonSerializer.Deserialize(line.AsSpan(0, length), RunJson.Default.RunDevices) ?? throw new HostException("The private network wasn't told of.");
        var device = new TunDevice(told.Name, told.Index, told.Mtu, IPAddress.Parse(told.Address), told.Address6 is { } six ? IPAddress.Parse(six) : null);
        session.Serve(TunParts.FromHandles(device, [.. handles.SkipLast(2)]).Serve(), SocketOf(handles[^2]), SocketOf(handles[^1]));
        var files = await session.DescribeFilesAsync(await File.ReadAllBytesAsync("/etc/hosts", cancellationToken), EnclosedNetwork.DnsAddress, cancellationToken);
        await TellAsync(stream, new RunNews(Files: files));
        await Task.Delay(Timeout.Infinite, cancellationToken);
    }

    private static Socket SocketOf(int descriptor) => new(new SafeSocketHandle(descriptor, ownsHandle: true));

    private static async Task StopWithAsync(ProcessEnd command, CancellationTokenSource ending)
    {
        await Task.WhenAny(command.Ended, Task.Delay(Timeout.Infinite, ending.Token));
        await ending.CancelAsync();
    }

    private static async Task TellAsync(NetworkStream stream, RunNews news)
    {
        try
        {
            await JsonLines.WriteAsync(stream, news, RunJson.Default.RunNews, CancellationToken.None);
        }
        catch (IOException)
        {
            // Nobody is there any more: the end of the command ends this.
        }
    }

    /// <summary>What runs as the user changes nothing on the host, so nothing is recorded.</summary>
    private sealed class NothingChanges : IHostJournal
    {
        public static readonly NothingChanges Instance = new();

        public IReadOnlyList<HostChange> Pending => [];

        public int DamagedLines => 0;

        public HostChange Record(string kind, string subject) => throw new InvalidOperationException("This process changes nothing on the host.");

        public void MarkUndone(HostChange change) => throw new InvalidOperationException("This process changes nothing on the host.");

        public void Dispose()
        {
            // Nothing is held.
        }
    }
}
