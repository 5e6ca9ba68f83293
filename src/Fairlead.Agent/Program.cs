using System.Runtime.InteropServices;
using Fairlead.Agent.Exit;
using Fairlead.Contracts.Errors;
using Fairlead.Tunnel;
using Microsoft.Extensions.Logging;

SocketThreads.CompleteInline();
using var loggers = LoggerFactory.Create(logging => logging
    .AddSimpleConsole(console =>
    {
        console.SingleLine = true;
        console.UseUtcTimestamp = true;
        console.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";
        console.ColorBehavior = Microsoft.Extensions.Logging.Console.LoggerColorBehavior.Disabled;
    })
    .AddFilter("Microsoft", LogLevel.Warning));
using var terminated = new CancellationTokenSource();
using var sigterm = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
using var sigint = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
if (args is not ["exit"])
{
    await Console.Error.WriteLineAsync("usage: fairlead-agent exit < TOKEN (a gateway starts it, nobody else)");
    return 2;
}

try
{
    // Not Console.In, whose asynchronous reads block.
    using var input = new StreamReader(Console.OpenStandardInput());
    await ExitAgent.RunAsync(input, loggers, TimeProvider.System, terminated.Token);
    return 0;
}
catch (OperationCanceledException) when (terminated.IsCancellationRequested)
{
    return 0;
}
catch (Exception e) when (e is FairleadException or HttpRequestException or IOException or TimeoutException)
{
    ExitAgent.LogFailed(loggers.CreateLogger("Fairlead.Agent"), e.Message, (e as FairleadException)?.Error.Why);
    return 1;
}

void OnSignal(PosixSignalContext context)
{
    context.Cancel = true;
    terminated.Cancel();
}
