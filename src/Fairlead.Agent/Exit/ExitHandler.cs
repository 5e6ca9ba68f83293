using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Relay;
using Microsoft.Extensions.Logging;

namespace Fairlead.Agent.Exit;

/// <summary>Dials what the gateway asks for, from this pod's network. The gateway has judged it; nobody else can ask.</summary>
internal sealed partial class ExitHandler(TimeProvider time, ILogger<ExitHandler> logger) : IFlowHandler
{
    private readonly FlowCounters counters = new();

    public async Task HandleAsync(IIncomingFlow flow, CancellationToken cancellationToken)
    {
        var target = flow.Target;
        if (target.Protocol == TransportProtocol.Icmp || !IPAddress.TryParse(target.Host, out var address))
        {
            await flow.RefuseAsync(new FlowRefusal(FlowFailure.ProtocolError, "an exit dials TCP and UDP, by address"), cancellationToken);
            return;
        }

        var (socket, refusal) = await FarSide.ConnectAsync(new IPEndPoint(address, target.Port), target.Protocol, time, cancellationToken);
        if (socket is null)
        {
            LogRefused(target, refusal!.Message);
            await flow.RefuseAsync(refusal, cancellationToken);
            return;
        }

        if (target.Protocol == TransportProtocol.Tcp)
        {
            await FlowRelay.RunAsync(await flow.AcceptAsync(cancellationToken), socket, counters, cancellationToken);
            return;
        }

        await using var datagrams = new UdpDatagramSocket(socket);
        await using var opened = await flow.AcceptDatagramsAsync(cancellationToken);
        await DatagramRelay.RunAsync(opened, datagrams, time, cancellationToken);
    }

    [LoggerMessage(11, LogLevel.Information, "{Target}: {Reason}")]
    private partial void LogRefused(FlowTarget target, string reason);
}
