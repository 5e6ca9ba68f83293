using System.Net;
using System.Net.Sockets;
using Fairlead.Dns.Server;
using Fairlead.Sandbox.Network;
using Fairlead.Sandbox.Objects;
using Microsoft.Extensions.Logging;

namespace Fairlead.Sandbox.Dns;

/// <summary>The cluster's DNS server: on the bridge, where the Service <c>kube-dns</c> leads.</summary>
internal sealed partial class ClusterDns(ClusterNetwork network, DnsAnswers answers, ILogger logger, TimeProvider time)
{
    private const int Port = 53;

    internal async Task RunAsync(CancellationToken cancellationToken)
    {
        var address = new IPEndPoint(IPAddress.Parse(ClusterLayout.BridgeAddress), Port);
        var datagrams = network.Namespace.Run(() => Bind(address, SocketType.Dgram, ProtocolType.Udp));
        var listener = network.Namespace.Run(() => Bind(address, SocketType.Stream, ProtocolType.Tcp));
        await using var server = new DnsServer(datagrams, listener, answers, new DnsServerOptions { OnFault = e => LogFault(e.Message), Time = time });
        await cancellationToken.WhenCancelled();
    }

    private static Socket Bind(IPEndPoint address, SocketType type, ProtocolType protocol)
    {
        var socket = new Socket(AddressFamily.InterNetwork, type, protocol);
        try
        {
            socket.Bind(address);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    [LoggerMessage(3301, LogLevel.Warning, "Cluster DNS: {Reason}")]
    private partial void LogFault(string reason);
}
