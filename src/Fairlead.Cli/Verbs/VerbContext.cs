using System.CommandLine;
using System.Text.Json.Serialization.Metadata;
using Fairlead.Cli.Hosting;
using Fairlead.Cli.Local;
using Fairlead.Cli.Rendering;
using Fairlead.Contracts.Administration;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Local;

namespace Fairlead.Cli.Verbs;

/// <summary>One invocation of a verb: what was typed, where to print, whom to ask.</summary>
internal sealed class VerbContext
{
    private readonly CommonOptions _common;

    public VerbContext(CliHost host, CommonOptions common, ParseResult parse)
    {
        Host = host;
        _common = common;
        Parse = parse;
        Daemon = new LocalClient(SocketPath);
        Verbose = parse.GetValue(common.Verbose);
        Output = new Output(
            host.Terminal,
            parse.GetValue(common.Format),
            Palette.For(host.Terminal.OutIsTerminal, host.Environment),
            Palette.For(host.Terminal.ErrorIsTerminal, host.Environment));
    }

    public CliHost Host { get; }

    public ParseResult Parse { get; }

    public Output Output { get; }

    public bool Verbose { get; }

    public int ExitCode { get; set; }

    public DaemonPaths Paths => new(Get(_common.RunDirectory), Get(_common.StateDirectory), Get(_common.HostsFile), SocketPath);

    public string SocketPath => Get(_common.Docker) ? Host.Container().Socket : SocketOf(Host, Get(_common.RunDirectory));

    public LocalClient Daemon { get; }

    public string? Space => Get(_common.Space);

    public bool Watch => Get(_common.Watch);

    public ClusterSelection Cluster => new(Get(_common.Kubeconfig), Get(_common.Context), Get(_common.GatewayNamespace) ?? ClusterObjects.Namespace);

    public static string SocketOf(CliHost host, string? runDirectory) =>
        host.Environment(LocalApi.SocketVariable) is { Length: > 0 } named ? named
        : runDirectory is null ? LocalApi.DefaultSocket
        : Path.Combine(runDirectory, Path.GetFileName(LocalApi.DefaultSocket));

    /// <summary>The option's value; its default when this verb doesn't take it.</summary>
    public T? Get<T>(Option<T> option) => Parse.GetResult(option) is null ? default : Parse.GetValue(option);

    public string WithSpace(string path) => LocalPath.With(path, "space", Space);

    /// <summary>With <c>--docker</c>: the daemon's container runs when this returns.</summary>
    /// <exception cref="FairleadException">There is no engine, or it refuses; or an image was named for no container.</exception>
    public async Task StartContainerIfAskedAsync(CancellationToken cancellationToken)
    {
        var image = Get(_common.Image);
        if (Get(_common.Docker))
        {
            await using var progress = new ProgressLine(Host, "Starting the daemon's container");
            await Host.Container().StartAsync(image, cancellationToken);
        }
        else if (image is not null)
        {
            throw CommonOptions.Usage("image-docker", "An image is of use only with --docker", "without it the daemon runs on this host", $"Add --docker, or leave out --image {image}.");
        }
    }

    /// <summary>Shows a value of the local API once, or with <c>--watch</c> whenever it changes.</summary>
    public async Task ShowAsync<T>(string path, JsonTypeInfo<T> type, Action<Output, T> people, CancellationToken cancellationToken)
    {
        if (!Watch)
        {
            Output.Show(await Daemon.GetAsync(path, type, cancellationToken), type, people);
            return;
        }

        using var view = LiveView.For(Host, Output);
        await foreach (var value in Daemon.WatchAsync(path, type, cancellationToken))
        {
            view.Show(value, type, people);
        }
    }

    /// <summary>Starts the companion where the daemon said that it misses it.</summary>
    public void StartCompanionIfWanted()
    {
        if (Daemon is not { CompanionIsWanted: true })
        {
            return;
        }

        try
        {
            Host.Companion().Start(SocketPath);
        }
        catch (FairleadException e)
        {
            Output.Warn($"{e.Error.Message}: {e.Error.Why}");
        }
    }
}
