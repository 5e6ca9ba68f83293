using System.Runtime.InteropServices;
using Fairlead.Contracts.Errors;
using Fairlead.Gateway;
using Fairlead.Gateway.Health;
using Fairlead.Kubernetes;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;

SocketThreads.CompleteInline();
TlsBuffers.ReleaseWhenIdle();
using var loggers = LoggerFactory.Create(logging => logging
    .AddSimpleConsole(console =>
    {
        console.SingleLine = true;
        console.UseUtcTimestamp = true;
        console.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";
        console.ColorBehavior = Microsoft.Extensions.Logging.Console.LoggerColorBehavior.Disabled;
    })
    .AddFilter("Microsoft", LogLevel.Warning)
    .SetMinimumLevel(Enum.TryParse<LogLevel>(Environment.GetEnvironmentVariable("FAIRLEAD_LOG_LEVEL"), ignoreCase: true, out var level) ? level : LogLevel.Information));
var log = loggers.CreateLogger("Fairlead.Gateway");
using var terminated = new CancellationTokenSource();
using var sigterm = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
using var sigint = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
try
{
    var options = GatewayOptions.FromEnvironment(Environment.GetEnvironmentVariable);
    using var telemetry = Telemetry.Start(Environment.GetEnvironmentVariable);
    using var client = new KubernetesClient(Environment.GetEnvironmentVariable("KUBECONFIG") is { Length: > 0 } ? KubeConfig.Load() : ClusterConnection.InCluster());
    await using var gateway = await GatewayStart.WithPatienceAsync(options, client, loggers, terminated.Token);
    await Task.WhenAny(gateway.Completion, Task.Delay(Timeout.Infinite, terminated.Token));
    if (gateway.Completion.IsCompleted)
    {
        await gateway.Completion;
    }

    await gateway.DrainAsync(CancellationToken.None);
    return 0;
}
catch (OperationCanceledException) when (terminated.IsCancellationRequested)
{
    return 0;
}
catch (Exception e) when (e is FairleadException or FormatException or KubernetesException or KubeConfigException or IOException)
{
    GatewayStart.LogFailed(log, e.Message, (e as FairleadException)?.Error.Why);
    return 1;
}

void OnSignal(PosixSignalContext context)
{
    context.Cancel = true;
    terminated.Cancel();
}
