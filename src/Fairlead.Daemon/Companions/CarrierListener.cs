using System.Collections.Concurrent;
using System.Net.Sockets;
using Fairlead.Contracts.Local;
using Fairlead.Platform;
using Fairlead.Platform.Peers;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Companions;

/// <summary>
/// The socket that companions bring carriers to: plain bytes, because every byte of a port-forward passes here. Everybody on the machine may connect; whose
/// companion it is says the kernel, and only what was asked of that companion is taken. Listens from when it is made.
/// </summary>
internal sealed partial class CarrierListener : IAsyncDisposable
{
    /// <summary>A companion greets with its first bytes.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>After a failed accept, so that a lack of descriptors doesn't become a busy loop.</summary>
    private static readonly TimeSpan AcceptPause = TimeSpan.FromMilliseconds(50);

    /// <summary>Connections of one uid that have not greeted; more end the oldest. All that the daemon asks of a companion at a time come to fewer.</summary>
    private const int MaxStrangers = 2 * CompanionApi.MaxPending;

    private readonly IPeerCredentials peers;
    private readonly CompanionRegistry companions;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly CancellationTokenSource stop = new();
    private readonly ConcurrentDictionary<uint, StrangerLimit> strangers = [];
    private readonly ConcurrentDictionary<Socket, Task> greeting = [];
    private readonly Task accepting;

    /// <param name="path">Of the socket; one that is there is a dead daemon's.</param>
    /// <exception cref="SocketException">The socket can't be made.</exception>
    public CarrierListener(string path, IPeerCredentials peers, CompanionRegistry companions, TimeProvider time, ILogger<CarrierListener> logger)
    {
        (this.peers, this.companions, this.time, this.logger) = (peers, companions, time, logger);
        try
        {
            File.Delete(path);
            listener.Bind(new UnixDomainSocketEndPoint(path));
            listener.Listen(CompanionApi.MaxPending);
            if (!OperatingSystem.IsWindows())
            {
                const UnixFileMode Everybody = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
                File.SetUnixFileMode(path, Everybody);
            }
        }
        catch
        {
            listener.Dispose();
            throw;
        }

        accepting = Task.Run(AcceptAsync);
    }

    /// <summary>Carriers that were handed out stay.</summary>
    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Dispose();
        await accepting;
        await Task.WhenAll(greeting.Values);
        stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                var socket = await listener.AcceptAsync(stop.Token);

                // Its place first: it may end, and take itself out, before it is put in.
                greeting[socket] = Task.CompletedTask;
                greeting.TryUpdate(socket, Task.Run(() => GreetAsync(socket)), Task.CompletedTask);
            }
            catch (Exception e) when (stop.IsCancellationRequested && (e is OperationCanceledException or SocketException or ObjectDisposedException))
            {
                return;
            }
            catch (SocketException e)
            {
                LogAcceptFailed(e.Message);
                await Task.Delay(AcceptPause, time, CancellationToken.None);
            }
        }
    }

    private async Task GreetAsync(Socket socket)
    {
        using var deadline = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, stop.Token);
        var stream = new NetworkStream(socket, ownsSocket: true);
        var taken = false;
        try
        {
            var peer = peers.Of(socket);
            if (!strangers.GetOrAdd(peer.Uid, _ => new StrangerLimit(MaxStrangers, time)).TryEnter(null, socket.Dispose, out var place))
            {
                LogNotGreeted("too many of this user are being greeted");
                return;
            }

            using var held = place;
            var greeted = await CarrierGreeting.ReadAsync(stream, either.Token);
            taken = companions.TryAccept(peer.Uid, greeted.Id, new CompanionCarrier(stream, greeted.Server));
        }
        catch (Exception e) when (e is HostException or IOException or SocketException or ObjectDisposedException or InvalidDataException or OperationCanceledException)
        {
            // Nobody is served without a name, and nobody waits for what greets wrongly.
            LogNotGreeted(e.Message);
        }
        finally
        {
            if (!taken)
            {
                await stream.DisposeAsync();
            }

            greeting.TryRemove(socket, out _);
        }
    }

    [LoggerMessage(3511, LogLevel.Warning, "A carrier could not be accepted: {Why}")]
    private partial void LogAcceptFailed(string why);

    [LoggerMessage(3512, LogLevel.Debug, "A connection for a carrier came to nothing: {Why}")]
    private partial void LogNotGreeted(string why);
}
