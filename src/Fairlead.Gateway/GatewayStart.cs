using Fairlead.Kubernetes;
using Microsoft.Extensions.Logging;

namespace Fairlead.Gateway;

/// <summary>Starts a gateway although the API server may not be ready for it yet.</summary>
internal static partial class GatewayStart
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);
    private const int MaxAttempts = 60;

    /// <summary>Right after an install, rights and routes may lag behind the pod. After half a minute the kubelet may restart it.</summary>
    public static async Task<GatewayHost> WithPatienceAsync(GatewayOptions options, KubernetesClient client, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var logger = loggers.CreateLogger<GatewayHost>();
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await GatewayHost.StartAsync(options, client, TimeProvider.System, loggers, cancellationToken);
            }
            catch (KubernetesException e) when (attempt < MaxAttempts)
            {
                LogWaiting(logger, e.Message);
                await Task.Delay(Pause, cancellationToken);
            }
        }
    }

    [LoggerMessage(1504, LogLevel.Warning, "the API server does not serve the gateway yet: {Error}")]
    private static partial void LogWaiting(ILogger logger, string error);

    [LoggerMessage(1505, LogLevel.Critical, "the gateway can't run: {Error} {Why}")]
    public static partial void LogFailed(ILogger logger, string error, string? why);
}
