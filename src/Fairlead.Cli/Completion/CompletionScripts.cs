namespace Fairlead.Cli.Completion;

/// <summary>
/// Scripts that let a shell ask <c>fairlead</c> what may come next, by System.CommandLine's <c>[suggest:POSITION]</c> directive: one word a line.
/// </summary>
internal static class CompletionScripts
{
    public static string For(string shell) => shell switch
    {
        "bash" => Bash,
        "zsh" => Zsh,
        "fish" => Fish,
        "pwsh" => PowerShell,
        _ => throw new ArgumentException($"no completion for {shell}", nameof(shell)),
    };

    // ':' is part of rules (shop/frontend:8080) but a word break to bash: what bash already holds of the word is cut off again.
    private const string Bash = """
        # fairlead completion for bash: source <(fairlead completion bash)
        _fairlead() {
            local word=${COMP_WORDS[COMP_CWORD]} line=${COMP_LINE:0:COMP_POINT} typed
            typed=${line##*[[:space:]]}
            local IFS=$'\n'
            COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" "[suggest:${#line}]" "$line" 2>/dev/null | sed 's/[*!]/\\\\&/g')" -- "${typed//\'/}"))
            [ "$word" = "$typed" ] || COMPREPLY=("${COMPREPLY[@]#"${typed%"$word"}"}")
        }
        complete -o nosort -F _fairlead fairlead

        """;

    private const string Zsh = """
        #compdef fairlead
        # fairlead completion for zsh: fairlead completion zsh > "${fpath[1]}/_fairlead"   (or: source <(fairlead completion zsh))
        _fairlead() {
            local line="${BUFFER[1,CURSOR]}"
            local -a values
            values=("${(@f)$("${words[1]}" "[suggest:${#line}]" "$line" 2>/dev/null)}")
            compadd -Q -- "${(@q)values:#}"
        }
        if [ "${funcstack[1]}" = "_fairlead" ]; then _fairlead "$@"; else compdef _fairlead fairlead; fi

        """;

    private const string Fish = """
        # fairlead completion for fish: fairlead completion fish | source
        function __fairlead_complete
            set -l line (commandline -cp)
            fairlead "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
        end
        complete -c fairlead -f -a '(__fairlead_complete)'

        """;

    private const string PowerShell = """
        # fairlead completion for PowerShell: fairlead completion pwsh | Out-String | Invoke-Expression
        Register-ArgumentCompleter -Native -CommandName fairlead -ScriptBlock {
            param($word, $ast, $cursor)
            $line = $ast.ToString()
            fairlead "[suggest:$cursor]" "$line" 2>$null | Where-Object { $_ -like "$([WildcardPattern]::Escape($word))*" } | ForEach-Object {
                [System.Management.Automation.CompletionResult]::new($(if ($_ -match '[*!]') { "'$_'" } else { $_ }), $_, 'ParameterValue', $_)
            }
        }

        """;
}
