using System.Diagnostics;
using Fairlead.Cli.Hosting;
using Fairlead.Contracts.Errors;

namespace Fairlead.Cli.Verbs;

/// <summary>Consume rules as text: one a line, <c>#</c> begins a comment.</summary>
internal static class RuleFile
{
    /// <summary>Ten thousand long rules fit; a file of another kind given by mistake is refused before it is read.</summary>
    private const int MaxCharacters = 1 << 20;

    public static IReadOnlyList<string> Parse(string text) =>
        text.ReplaceLineEndings("\n").Split('\n')
            .Select(line => (line.IndexOf('#') is >= 0 and var at ? line[..at] : line).Trim())
            .Where(line => line.Length > 0)
            .ToArray();

    public static string Format(string space, IReadOnlyList<string> rules) =>
        $"""
        # What is consumed of space {space}. One rule a line, in order; the last match wins.
        #   my-namespace/frontend   my-namespace/*   */*   my-namespace/frontend:8080   !my-namespace/metrics
        # Save and close to apply; no rule at all consumes nothing.
        {string.Join('\n', rules)}

        """;

    public static async Task<string> ReadAsync(string path, TextReader standardInput, CancellationToken cancellationToken)
    {
        if (path == "-")
        {
            return await ReadAsync(standardInput, "standard input", cancellationToken);
        }

        try
        {
            using var reader = new StreamReader(path);
            return await ReadAsync(reader, path, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CommonOptions.Usage("rules-unreadable", $"The rules in {path} can't be read", e.Message, "fairlead consume apply FILE   (- reads standard input)");
        }
    }

    /// <summary>Hands the text to the user's editor and returns what came back.</summary>
    public static async Task<string> EditAsync(CliHost host, string text, CancellationToken cancellationToken)
    {
        if (!host.Terminal.InIsTerminal || !host.Terminal.OutIsTerminal)
        {
            throw CommonOptions.Usage("no-terminal", "There is no terminal to edit on", "standard input or output is not one", "fairlead consume apply FILE");
        }

        var editor = host.Environment("VISUAL") is { Length: > 0 } visual ? visual : host.Environment("EDITOR") is { Length: > 0 } named ? named : "vi";
        var directory = Directory.CreateTempSubdirectory("fairlead-rules-");
        var file = Path.Combine(directory.FullName, "rules.txt");
        try
        {
            await File.WriteAllTextAsync(file, text, cancellationToken);

            // $EDITOR may hold arguments ("code --wait"): a shell splits it as the user's shell would, as git does.
            var start = new ProcessStartInfo("/bin/sh") { UseShellExecute = false, ArgumentList = { "-c", $"exec {editor} \"$1\"", editor, file } };
            using var process = Process.Start(start) ?? throw EditorFailed(editor, "it did not start");
            await process.WaitForExitAsync(cancellationToken);
            if (process.ExitCode != 0)
            {
                throw EditorFailed(editor, $"it ended with {process.ExitCode}");
            }

            return await ReadAsync(file, TextReader.Null, cancellationToken);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static FairleadException EditorFailed(string editor, string why) =>
        new(ErrorCategory.Failed, "editor-failed", $"The editor '{editor}' failed; the rules are as they were", why, "EDITOR=nano fairlead consume edit");

    private static async Task<string> ReadAsync(TextReader reader, string name, CancellationToken cancellationToken)
    {
        var buffer = new char[MaxCharacters + 1];
        var read = await reader.ReadBlockAsync(buffer, cancellationToken);
        return read <= MaxCharacters ? new string(buffer, 0, read) : throw CommonOptions.Usage("rules-too-long", $"The rules in {name} are too long", "more than 1 MiB is no list of rules");
    }
}
