using Fairlead.Cli;
using Fairlead.Cli.Hosting;

return await CommandLine.RunAsync(args, new CliHost
{
    Terminal = new ProcessTerminal(),
    Administration = () => throw new InvalidOperationException(),
    Daemon = () => throw new InvalidOperationException(),
    Sandbox = () => throw new InvalidOperationException(),
    Time = TimeProvider.System,
    Environment = Environment.GetEnvironmentVariable,
}, CancellationToken.None);
