using Fairlead.Cli;
using Fairlead.Cli.Hosting;
using Fairlead.Contracts.Administration;

namespace Fairlead.Tests.Cli;

internal sealed record Outcome(int ExitCode, string Out, string Error);

/// <summary>Runs command lines as a shell would, without a process.</summary>
internal static class CommandLineRunner
{
    public static async Task<Outcome> RunAsync(string? socket, string[] arguments, string input = "", ISpaceAdministration? administration = null, IDaemonProcess? daemon = null, ISandboxControl? sandbox = null, bool terminal = false, TimeProvider? time = null, ICompanionProcess? companion = null, IRunProcess? run = null, IContainerDaemon? container = null)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        var host = MakeHost(socket, new FakeTerminal(input, output, error, terminal), administration, daemon, sandbox, time, companion, run, container);
        var exitCode = await CommandLine.RunAsync(arguments, host, TestContext.Current.CancellationToken);
        return new Outcome(exitCode, output.ToString(), error.ToString());
    }

    public static CliHost MakeHost(string? socket, ITerminal terminal, ISpaceAdministration? administration = null, IDaemonProcess? daemon = null, ISandboxControl? sandbox = null, TimeProvider? time = null, ICompanionProcess? companion = null, IRunProcess? run = null, IContainerDaemon? container = null) => new()
    {
        Terminal = terminal,
        Administration = () => administration ?? throw new InvalidOperationException("this verb must not need the companion"),
        Daemon = () => daemon ?? throw new InvalidOperationException("this verb must not need the daemon's assembly"),
        Companion = () => companion ?? throw new InvalidOperationException("this verb must not start the companion"),
        Sandbox = () => sandbox ?? throw new InvalidOperationException("this verb must not need the sandbox"),
        Run = () => run ?? throw new InvalidOperationException("this verb must not run commands"),
        Container = () => container ?? throw new InvalidOperationException("this verb must not need a container"),
        Time = time ?? TimeProvider.System,
        Environment = name => name == "FAIRLEAD_SOCKET" ? socket ?? "/nonexistent/daemon.sock" : null,
    };
}

internal sealed class FakeTerminal(string input, TextWriter output, TextWriter error, bool terminal) : ITerminal
{
    public TextReader In { get; } = new StringReader(input);

    public TextWriter Out => output;

    public TextWriter Error => error;

    public bool OutIsTerminal => terminal;

    public bool ErrorIsTerminal => false;

    public bool InIsTerminal => terminal;

    public int? Width => terminal ? 80 : null;
}
