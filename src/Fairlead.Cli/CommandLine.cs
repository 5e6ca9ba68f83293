using System.CommandLine;
using System.CommandLine.Completions;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Fairlead.Cli.Completion;
using Fairlead.Cli.Hosting;
using Fairlead.Cli.Rendering;
using Fairlead.Cli.Verbs;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Text;

namespace Fairlead.Cli;

/// <summary>Everything a person can type after <c>fairlead</c>.</summary>
public static class CommandLine
{
    /// <summary>Runs one command line.</summary>
    /// <returns>The exit code, as docs/cli.md tells it.</returns>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments, CliHost host, CancellationToken cancellationToken)
    {
        var common = new CommonOptions();
        var parse = Build(host, common).Parse(PassThrough(arguments));
        if (parse.Errors.Count > 0 && parse.Action is ParseErrorAction)
        {
            return ReportUsage(host, parse);
        }

        return await parse.InvokeAsync(new InvocationConfiguration
        {
            Output = host.Terminal.Out,
            Error = host.Terminal.Error,
            EnableDefaultExceptionHandler = false,

            // The daemon undoes its changes to the host after a signal; nothing here ends it earlier.
            ProcessTerminationTimeout = HandsOver(parse) ? null : TimeSpan.FromSeconds(60),
        }, cancellationToken);
    }

    private static bool HandsOver(ParseResult parse) =>
        parse.CommandResult.Command is Verb { RunsCommand: true } && parse.Tokens.Any(token => token.Type == TokenType.DoubleDash);

    /// <summary>What follows <c>sandbox kubectl</c> is kubectl's, also where it looks like an option of ours (<c>-o wide</c>).</summary>
    internal static IReadOnlyList<string> PassThrough(IReadOnlyList<string> arguments) =>
        arguments is ["sandbox", "kubectl", not ("--help" or "-h" or "--"), ..] ? ["sandbox", "kubectl", "--", .. arguments.Skip(2)] : arguments;

    internal static RootCommand Build(CliHost host, CommonOptions common)
    {
        var dynamicValues = new DynamicValues(host);
        common.Space.CompletionSources.Add(_ => dynamicValues.Spaces());
        var administration = new AdministrationVerbs(host, common);
        var spaces = new SpaceVerbs(host, common, dynamicValues);
        var root = new RootCommand("Run and reach services of a Kubernetes cluster as though this machine were part of it.");
        root.Options.Add(common.Format);
        root.Options.Add(common.Verbose);

        var space = new Verb("space", "Spaces: clusters as their teams see them", "fairlead space list");
        Add(space, [.. spaces.BuildBelowSpace(), .. administration.BuildBelowSpace()]);
        Add(root, [
            .. new DaemonVerbs(host, common).Build(),
            .. new CompanionVerbs(host, common).Build(),
            new OptionVerbs(host, common, dynamicValues).Build(),
            .. new DiagnosticVerbs(host, common).Build(),
            .. spaces.Build(),
            space,
            .. new GatewayVerbs(host, common).Build(),
            .. new ConsumeVerbs(host, common, dynamicValues).Build(),
            .. new ConnectVerbs(host, common, dynamicValues).Build(),
            .. new RunVerbs(host, common, dynamicValues).Build(),
            new SandboxVerbs(host, common).Build(),
        ]);

        var suggest = root.Directives.OfType<SuggestDirective>().Single();
        suggest.Action = new SuggestAction(suggest);
        var help = root.Options.OfType<HelpOption>().Single();
        if (help.Action is HelpAction standard)
        {
            help.Action = new HelpWithExamples(standard);
        }

        return root;
    }

    private static void Add(Command parent, IEnumerable<Command> commands)
    {
        foreach (var command in commands)
        {
            parent.Subcommands.Add(command);
        }
    }

    private static int ReportUsage(CliHost host, ParseResult parse)
    {
        var command = parse.CommandResult.Command;
        var path = CommandPath(command);
        var json = parse.Tokens.Any(t => t.Value is "json");
        var output = new Output(host.Terminal, json ? OutputFormat.Json : OutputFormat.Table, Palette.For(false, host.Environment), Palette.For(host.Terminal.ErrorIsTerminal, host.Environment));
        var verbs = command.Subcommands.Where(c => !c.Hidden).Select(c => c.Name).ToArray();
        var (message, why) = (command.Action, parse.UnmatchedTokens) switch
        {
            (null, []) => ($"'{path}' needs a verb", $"it has {string.Join(", ", verbs)}"),
            (null, [var word, ..]) => ($"'{path}' has no verb '{word}'", Spelling.Closest(word, verbs) is { } close ? $"did you mean '{close}'?" : $"it has {string.Join(", ", verbs)}"),
            _ => ($"'{path}' can't be run like this", string.Join("\n", parse.Errors.Select(e => e.Message))),
        };
        output.Fail(new ErrorInfo(ErrorCategory.Usage, "usage", message, why, $"{path} --help"), null);
        return ExitCodes.Usage;
    }

    internal static string CommandPath(Command command)
    {
        var names = new List<string>();
        for (Symbol? at = command; at is not null; at = at.Parents.FirstOrDefault())
        {
            names.Insert(0, at is RootCommand ? "fairlead" : at.Name);
        }

        return string.Join(' ', names);
    }

    /// <summary>The help of System.CommandLine, then the verb's examples.</summary>
    private sealed class HelpWithExamples(HelpAction standard) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            var result = standard.Invoke(parseResult);
            if (parseResult.CommandResult.Command is Verb verb)
            {
                var output = parseResult.InvocationConfiguration.Output;
                if (verb.Details is { } details)
                {
                    output.WriteLine(details);
                }

                output.WriteLine("Examples:");
                foreach (var example in verb.Examples)
                {
                    output.WriteLine("  " + example);
                }

                output.WriteLine();
            }

            return result;
        }
    }
}
