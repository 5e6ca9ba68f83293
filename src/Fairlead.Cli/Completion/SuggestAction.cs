using System.CommandLine;
using System.CommandLine.Completions;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;

namespace Fairlead.Cli.Completion;

/// <summary>
/// Answers <c>[suggest:POSITION] "COMMAND LINE"</c>, which the completion scripts ask, with one word a line. Options appear once a dash is typed:
/// before that a person wants verbs and values.
/// </summary>
internal sealed class SuggestAction(SuggestDirective directive) : SynchronousCommandLineAction
{
    /// <summary>Spellings of --help that System.CommandLine knows besides the usual ones.</summary>
    private static readonly string[] Unusual = ["-?", "/?", "/h"];

    public override int Invoke(ParseResult parseResult)
    {
        var line = parseResult.Tokens.LastOrDefault(t => t.Type != TokenType.Directive)?.Value ?? "";
        int? position = parseResult.GetResult(directive)?.Values is [var text, ..] && int.TryParse(text, out var at) ? at : null;
        var words = parseResult.RootCommandResult.Command.Parse(line, parseResult.Configuration).GetCompletions(position).Select(c => c.Label).ToArray();
        var wanted = words.Where(w => !w.StartsWith('-') && !Unusual.Contains(w)).ToArray();
        foreach (var word in wanted.Length > 0 ? wanted : words.Except(Unusual))
        {
            parseResult.InvocationConfiguration.Output.WriteLine(word);
        }

        return 0;
    }
}
