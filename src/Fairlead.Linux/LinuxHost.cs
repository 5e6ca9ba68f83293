using System.Net.Sockets;
using Fairlead.Linux.Capture;
using Fairlead.Linux.Files;
using Fairlead.Linux.Firewall;
using Fairlead.Linux.Journal;
using Fairlead.Linux.Limits;
using Fairlead.Linux.Peers;
using Fairlead.Linux.Resolver;
using Fairlead.Linux.Routes;
using Fairlead.Linux.Sockets;
using Fairlead.Linux.Tun;
using Fairlead.Platform.Capture;
using Fairlead.Platform.Files;
using Fairlead.Platform.Firewall;
using Fairlead.Platform.Journal;
using Fairlead.Platform.Peers;
using Fairlead.Platform.Resolver;
using Fairlead.Platform.Routes;
using Fairlead.Platform.Sockets;
using Fairlead.Platform;

namespace Fairlead.Linux;

/// <param name="StateDirectory">Absolute.</param>
/// <param name="RunDirectory">Absolute.</param>
/// <param name="HostsFile">Absolute.</param>
/// <param name="ResolvConf">Absolute.</param>
public sealed record LinuxHostPaths(
    string StateDirectory = "/var/lib/fairlead", string RunDirectory = "/run/fairlead", string HostsFile = "/etc/hosts", string ResolvConf = "/etc/resolv.conf")
    : IHostPaths;

/// <summary>This Linux machine. Captures work in the network namespace of the thread that opens them.</summary>
public sealed class LinuxHost(LinuxHostPaths paths) : IHost
{
    public IHostPaths Paths => paths;

    public IPeerCredentials Peers { get; } = new PeerCredentials();

    public ulong RaiseOpenFileLimit() => OpenFileLimit.Raise().Soft;

    public IHostJournal OpenJournal() => HostJournal.Open(Path.Combine(paths.RunDirectory, "journal"));

    public async Task<IHostFile> OpenFileAsync(string path, CancellationToken cancellationToken) =>
        await HostFile.OpenAsync(path, paths.StateDirectory, paths.RunDirectory, cancellationToken);

    public Task<CaptureSelection> OpenCaptureAsync(CaptureOptions options, IHostJournal journal, CancellationToken cancellationToken) =>
        CaptureSelector.OpenAsync(options, journal, cancellationToken);

    public Task<ITunCapture> OpenTunAsync(TunOptions options, CancellationToken cancellationToken) =>
        Task.FromResult(TunParts.Create(options).Serve());

    public IHostRoutes OpenRoutes(IHostJournal journal) => LinuxRoutes.Open(journal);

    public IHostResolver OpenResolver(IHostJournal journal) => new LinuxResolver(paths, journal, TimeProvider.System);

    public Task ServeDatagramsAsync(Socket socket, int room, AnswerDatagram answer, Action<Exception> unsent, CancellationToken cancellationToken) =>
        DatagramBatches.RunAsync(socket, room, answer, unsent, cancellationToken);

    public async Task<IReadOnlyList<EgressBlock>> FindEgressBlocksAsync(string device, CancellationToken cancellationToken) =>
        EgressRules.FindBlocks(await NftProgram.ReadRulesetAsync(cancellationToken), device);

    public async Task<bool> TryUndoAsync(HostChange change, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(change);
        switch (change.Kind)
        {
            case NftTable.JournalKind:
                await new NftTable(change.Subject).DeleteAsync(cancellationToken);
                return true;
            case LinuxRoutes.JournalKind:
                LinuxRoutes.Undo(change.Subject);
                return true;
            case ResolvConfFile.JournalKind:
                await LinuxResolver.UndoAsync(paths, change.Subject, cancellationToken);
                return true;
            default:
                return false;
        }
    }
}
