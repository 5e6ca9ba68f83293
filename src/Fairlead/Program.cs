using Fairlead;
using Fairlead.Cli;
using Fairlead.Cli.Hosting;

return await CommandLine.RunAsync(args, new CliHost
{
    Terminal = new ProcessTerminal(),
    Administration = Parts.Administration,
    Daemon = Parts.Daemon,
    Companion = Parts.Companion,
    Sandbox = Parts.Sandbox,
    Run = Parts.Run,
    Container = Parts.Container,
    Time = TimeProvider.System,
    Environment = Environment.GetEnvironmentVariable,
}, CancellationToken.None);
