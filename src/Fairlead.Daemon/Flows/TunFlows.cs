using Fairlead.Contracts.Gateway;
using Fairlead.Platform.Capture;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Flows;

/// <summary>Everything that comes through one TUN capture, which stays the caller's: connections, datagrams and pings.</summary>
/// <param name="find">Asked for each new flow, with the address that the program uses; pings are <see cref="TransportProtocol.Icmp"/> with port 0. Null: unreachable.</param>
internal sealed class TunFlows(ITunCapture capture, FindDestination find, TimeProvider time, ILoggerFactory loggers)
{
    /// <summary>As the translation of addresses holds with room for those that are closing. Two open files each: the daemon's limit may be lower, and holds connections back then.</summary>
    internal const int MaxFlows = 50_000;

    public TcpFlows Tcp { get; } = new(new TunConnections(capture), find, time, loggers.CreateLogger<TcpFlows>(), MaxFlows);

    public DatagramFlows Datagrams { get; } = new(capture, find, time, loggers.CreateLogger<DatagramFlows>());

    public DatagramFlows Echoes { get; } = new(new EchoDatagrams(capture), find, time, loggers.CreateLogger<DatagramFlows>(), TransportProtocol.Icmp);

    /// <summary>Runs until cancelled, or the capture is disposed or lost; then ends every flow and waits for it.</summary>
    public Task RunAsync(CancellationToken cancellationToken) =>
        Task.WhenAll(Tcp.RunAsync(cancellationToken), Datagrams.RunAsync(cancellationToken), Echoes.RunAsync(cancellationToken));
}
