using System.CommandLine;
using System.CommandLine.Invocation;
using Fairlead.Cli.Hosting;
using Fairlead.Contracts.Errors;

namespace Fairlead.Cli.Verbs;

/// <summary>A command that people type, with the examples its <c>--help</c> shows.</summary>
internal sealed class Verb : Command
{
    public Verb(string name, string description, params string[] examples) : base(name, description) => Examples = examples;

    public IReadOnlyList<string> Examples { get; }

    /// <summary>What <c>--help</c> says besides the one-line description; null for nothing.</summary>
    public string? Details { get; init; }

    /// <summary>What stands behind <c>--</c> is a command of the user's: signals of the terminal are that command's, not this verb's.</summary>
    public bool RunsCommand { get; init; }

    /// <summary>Says what the verb does. Failures become an error for people and the exit code of their category (docs/cli.md).</summary>
    public Verb Does(CliHost host, CommonOptions common, Func<VerbContext, CancellationToken, Task> action)
    {
        SetAction(async (parse, cancellationToken) =>
        {
            var context = new VerbContext(host, common, parse);
            try
            {
                await action(context, cancellationToken);
                return context.ExitCode;
            }
            catch (FairleadException e)
            {
                context.Output.Fail(e.Error, context.Verbose ? e.ToString() : null);
                return (int)e.Error.Category;
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return ExitCodes.Interrupted;
            }
            catch (Exception e)
            {
                var error = new ErrorInfo(ErrorCategory.Failed, "internal-error", "Something went wrong inside fairlead", $"{e.GetType().Name}: {e.Message}", $"Run the same with --verbose and report what it prints: {CommandLine.CommandPath(this)} --verbose …");
                context.Output.Fail(error, context.Verbose ? e.ToString() : null);
                return ExitCodes.Failed;
            }
            finally
            {
                context.StartCompanionIfWanted();
            }
        });
        return this;
    }
}

/// <summary>Beyond those of <see cref="ErrorCategory"/>.</summary>
internal static class ExitCodes
{
    public const int Failed = 1;
    public const int Usage = 2;

    /// <summary>128 + SIGINT, as a shell says it.</summary>
    public const int Interrupted = 130;
}
