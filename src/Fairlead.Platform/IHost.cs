using System.Net.Sockets;
using Fairlead.Platform.Capture;
using Fairlead.Platform.Files;
using Fairlead.Platform.Firewall;
using Fairlead.Platform.Journal;
using Fairlead.Platform.Peers;
using Fairlead.Platform.Resolver;
using Fairlead.Platform.Routes;
using Fairlead.Platform.Sockets;

namespace Fairlead.Platform;

/// <summary>The host that the daemon changes: handed to it by the executable, one implementation per operating system.</summary>
public interface IHost
{
    IHostPaths Paths { get; }

    IPeerCredentials Peers { get; }

    /// <summary>Lets this process have as many files open as a busy laptop's flows need (two sockets each), or as many as it may.</summary>
    /// <returns>How many that is.</returns>
    /// <exception cref="HostException">The host refuses for another reason than a missing right.</exception>
    ulong RaiseOpenFileLimit();

    /// <summary>Opens the journal of host changes, creates it when missing. One process at a time.</summary>
    /// <exception cref="HostBusyException">Another process has it open.</exception>
    IHostJournal OpenJournal();

    /// <summary>A system text file. Finishes or gives up an in-place write that a killed process had begun. The file may be missing.</summary>
    /// <exception cref="HostFileException">There is such a write to finish, and it can't be.</exception>
    Task<IHostFile> OpenFileAsync(string path, CancellationToken cancellationToken);

    /// <summary>Starts the best capture that works here (or the forced one). What it leaves on a kill is written to <paramref name="journal"/> first.</summary>
    /// <exception cref="HostException">No way works, or the forced one doesn't: the message names each reason.</exception>
    Task<CaptureSelection> OpenCaptureAsync(CaptureOptions options, IHostJournal journal, CancellationToken cancellationToken);

    /// <summary>Makes the virtual device that whole subnets can be routed to, up and with its addresses, and serves what comes through it.</summary>
    /// <exception cref="HostException">The host can't or may not.</exception>
    Task<ITunCapture> OpenTunAsync(TunOptions options, CancellationToken cancellationToken);

    /// <summary>This host's routing, to be read and followed; nothing is changed by opening it.</summary>
    /// <exception cref="HostException">The kernel can't be asked.</exception>
    IHostRoutes OpenRoutes(IHostJournal journal);

    /// <summary>The way to names on this host; nothing of it is changed yet. What a kill leaves is written to <paramref name="journal"/> first. The caller disposes it.</summary>
    IHostResolver OpenResolver(IHostJournal journal);

    /// <summary>Receives a socket's datagrams as quickly as this host can, many at a time, and sends what is answered at once. Those of more than 4 096 bytes are dropped.</summary>
    /// <param name="socket">Bound, UDP. Others may send by it meanwhile. To be disposed after the cancellation only.</param>
    /// <param name="room">For an answer, bytes.</param>
    /// <param name="unsent">Why an answer could not be sent.</param>
    /// <returns>Completes when cancelled.</returns>
    /// <exception cref="HostException">The socket failed.</exception>
    Task ServeDatagramsAsync(Socket socket, int room, AnswerDatagram answer, Action<Exception> unsent, CancellationToken cancellationToken);

    /// <summary>What of this host's firewall would keep a program from opening connections by this device. Nothing is changed.</summary>
    /// <exception cref="HostException">The firewall can't be read.</exception>
    Task<IReadOnlyList<EgressBlock>> FindEgressBlocksAsync(string device, CancellationToken cancellationToken);

    /// <summary>Undoes a journalled change of the platform's own kinds. Idempotent. The caller then marks it undone.</summary>
    /// <returns>False when the kind isn't the platform's: whoever recorded it undoes it.</returns>
    /// <exception cref="HostException">It couldn't be undone.</exception>
    Task<bool> TryUndoAsync(HostChange change, CancellationToken cancellationToken);
}

/// <summary>Where things are. Directories are created on first use by whoever writes there.</summary>
public interface IHostPaths
{
    /// <summary>Keys, certificates, rules, address assignments; survives a reboot; root only. /var/lib/fairlead.</summary>
    string StateDirectory { get; }

    /// <summary>Sockets and the journal; gone after a reboot. /run/fairlead.</summary>
    string RunDirectory { get; }

    /// <summary>/etc/hosts.</summary>
    string HostsFile { get; }
}
