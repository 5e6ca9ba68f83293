using System.CommandLine;
using System.Runtime.InteropServices;
using Fairlead.Cli.Completion;
using Fairlead.Cli.Hosting;
using Fairlead.Cli.Local;
using Fairlead.Cli.Rendering;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;

namespace Fairlead.Cli.Verbs;

/// <summary>doctor, logs, version, completion.</summary>
internal sealed class DiagnosticVerbs(CliHost host, CommonOptions common)
{
    private const int DefaultLines = 200;

    /// <summary>The version of this build, from the assembly.</summary>
    public static string ProductVersion { get; } = typeof(DiagnosticVerbs).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";

    public IEnumerable<Command> Build()
    {
        yield return new Verb("doctor", "Check this host, the space and the way between; say what to do", "fairlead doctor", "fairlead doctor -o json")
            .Does(host, common, DoctorAsync);

        var follow = new Option<bool>("--follow", "-f") { Description = "Go on with what is written from now on, until Ctrl-C" };
        var lines = new Option<int>("--lines") { Description = "How many of the last lines", HelpName = "N", DefaultValueFactory = _ => DefaultLines };
        lines.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && (!int.TryParse(token.Value, out var n) || n < 0))
            {
                result.AddError($"'{token.Value}' is no number of lines");
            }
        });
        var logs = new Verb("logs", "Show what the daemon wrote", "fairlead logs --lines 50", "fairlead logs --follow")
            .Does(host, common, (context, cancellationToken) =>
            {
                var path = LocalPath.With(LocalApi.Logs, "lines", context.Get(lines).ToString());
                return context.Daemon.CopyTextAsync(context.Get(follow) ? LocalPath.With(path, "follow", "true") : path, host.Terminal.Out, cancellationToken);
            });
        logs.Options.Add(follow);
        logs.Options.Add(lines);
        yield return logs;

        yield return new Verb("version", "Show the version of this program", "fairlead version -o json")
            .Does(host, common, (context, _) =>
            {
                var report = new VersionReport(ProductVersion, GatewayApi.ProtocolVersion, Environment.Version.ToString(), RuntimeInformation.RuntimeIdentifier);
                context.Output.Show(report, CliJson.Default.VersionReport, (output, v) => output.Line($"fairlead {v.Version} (gateway protocol {v.Protocol}, .NET {v.Runtime}, {v.Platform})"));
                return Task.CompletedTask;
            });

        var shell = new Argument<string>("SHELL") { Description = "bash, zsh, fish or pwsh" };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish", "pwsh");
        var completion = new Verb("completion", "Print a completion script for a shell", "source <(fairlead completion bash)", "fairlead completion zsh > \"${fpath[1]}/_fairlead\"", "fairlead completion fish | source", "fairlead completion pwsh | Out-String | Invoke-Expression")
            .Does(host, common, (context, _) =>
            {
                context.Output.Writer.Write(CompletionScripts.For(context.Parse.GetRequiredValue(shell)));
                return Task.CompletedTask;
            });
        completion.Arguments.Add(shell);
        yield return completion;
    }

    private static async Task DoctorAsync(VerbContext context, CancellationToken cancellationToken)
    {
        DoctorReport report;
        try
        {
            report = await context.Daemon.GetAsync(context.WithSpace(LocalApi.Doctor), LocalJson.Default.DoctorReport, cancellationToken);
        }
        catch (FairleadException e) when (e.Error.Code == LocalErrors.NotRunning)
        {
            report = new DoctorReport([new DoctorCheck("daemon", CheckResult.Failed, $"{e.Error.Message}: {e.Error.Why}", e.Error.Hint)]);
            context.ExitCode = (int)ErrorCategory.NotConnected;
        }

        // What this user may do here, the daemon can't know.
        report = new DoctorReport([.. report.Checks, .. await context.Host.Run().ExamineAsync(cancellationToken)]);
        if (context.ExitCode == 0 && report.Checks.Any(c => c.Result == CheckResult.Failed))
        {
            context.ExitCode = (int)ErrorCategory.Failed;
        }

        context.Output.Show(report, LocalJson.Default.DoctorReport, (output, r) =>
        {
            var table = new Table("CHECK", "RESULT", "WHAT WAS FOUND");
            foreach (var check in r.Checks)
            {
                table.Add(check.Subject, Result(check.Result), check.Message);
            }

            output.Show(table);
            foreach (var check in r.Checks.Where(c => c.Hint is not null && c.Result != CheckResult.Ok))
            {
                output.Line("");
                output.Line($"{check.Subject}: {check.Hint}");
            }
        });
    }

    private static Cell Result(CheckResult result) => result switch
    {
        CheckResult.Ok => new Cell("ok", Style.Good),
        CheckResult.Warning => new Cell("warning", Style.Warning),
        _ => new Cell("failed", Style.Bad),
    };
}
