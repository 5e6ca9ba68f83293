using System.Runtime.CompilerServices;
using Fairlead.Cli.Hosting;
using Fairlead.Companion.Hosting;
using Fairlead.Tunnel;
using Microsoft.Extensions.Logging;

namespace Fairlead;

/// <summary>This program as the companion.</summary>
internal sealed class CompanionProcess : ICompanionProcess
{
    public void Start(string socket)
    {
        CompanionOptions.RequireOwnUser(Environment.IsPrivilegedProcess, Environment.GetEnvironmentVariable);
        var log = CompanionOptions.DefaultLog(Environment.GetEnvironmentVariable);
        DetachedProcess.MakeDirectory(Path.GetDirectoryName(log)!, "Set XDG_STATE_HOME to a directory of yours.");

        // Not waited for: it outlives this process.
        DetachedProcess.Start(log, ["companion", "--run-dir", Path.GetDirectoryName(Path.GetFullPath(socket))!]).Dispose();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public async Task RunAsync(string socket, CancellationToken cancellationToken)
    {
        SocketThreads.CompleteInline();

        // Written to the log that it was started with.
        using var loggers = LoggerFactory.Create(logging => logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.UseUtcTimestamp = true;
            console.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";
            console.ColorBehavior = Microsoft.Extensions.Logging.Console.LoggerColorBehavior.Disabled;
        }));
        await CompanionHost.RunAsync(new CompanionOptions(socket, CompanionOptions.DefaultLockDirectory(Environment.GetEnvironmentVariable)), loggers, cancellationToken);
    }
}
