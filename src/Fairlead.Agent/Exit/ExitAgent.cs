using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel.Exit;
using Fairlead.Tunnel.Link;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;

namespace Fairlead.Agent.Exit;

/// <summary>
/// A way out of one pod for the gateway that started it: is told on standard input where the gateway is and what proves who sent it, enrols, connects, and
/// dials what the gateway asks for. It ends when its gateway has been gone for a while.
/// </summary>
internal static partial class ExitAgent
{
    /// <summary>The gateway writes the token once the container runs.</summary>
    private static readonly TimeSpan TokenTimeout = TimeSpan.FromSeconds(60);

    /// <summary>A gateway that is started anew in the same pod is back by then; another one places another agent.</summary>
    private static readonly TimeSpan GatewayTimeout = TimeSpan.FromMinutes(2);

    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(1);

    /// <summary>A connection that ended sooner was refused: the certificate is over, say.</summary>
    private static readonly TimeSpan ShortestService = TimeSpan.FromSeconds(5);

    public static async Task RunAsync(TextReader input, ILoggerFactory loggers, TimeProvider time, CancellationToken cancellationToken)
    {
        var log = loggers.CreateLogger("Fairlead.Agent");
        var token = JoinToken.Parse(await input.ReadLineAsync(cancellationToken).AsTask().WaitAsync(TokenTimeout, time, cancellationToken) ?? "");
        using var identity = await AgentIdentity.EnrollAsync(token, BootstrapClient.Create(token), cancellationToken);
        var gateway = token.Endpoints[0];
        var tls = new TunnelTls(token.SpaceUid, identity.Authority, () => identity.Certificate, time);
        var handler = new ExitHandler(time, loggers.CreateLogger<ExitHandler>());
        for (var lastServed = time.GetTimestamp(); time.GetElapsedTime(lastServed) < GatewayTimeout;)
        {
            var began = time.GetTimestamp();
            try
            {
                LogConnecting(log, gateway.Host);
                await ExitServer.RunAsync(gateway.Host, gateway.DataPort, tls, handler, loggers, cancellationToken);
                if (time.GetElapsedTime(began) > ShortestService)
                {
                    lastServed = time.GetTimestamp();
                }
            }
            catch (FairleadException e)
            {
                LogLost(log, $"{e.Message}: {e.Error.Why}");
            }

            await Task.Delay(RetryInterval, time, cancellationToken);
        }

        LogGone(log, gateway.Host);
    }

    [LoggerMessage(1, LogLevel.Error, "{Message} {Why}")]
    internal static partial void LogFailed(ILogger logger, string message, string? why);

    [LoggerMessage(2, LogLevel.Information, "connecting to the gateway at {Host}")]
    private static partial void LogConnecting(ILogger logger, string host);

    [LoggerMessage(3, LogLevel.Information, "no gateway: {Reason}")]
    private static partial void LogLost(ILogger logger, string reason);

    [LoggerMessage(4, LogLevel.Information, "the gateway at {Host} is gone for good: nothing is left to do here")]
    private static partial void LogGone(ILogger logger, string host);
}
