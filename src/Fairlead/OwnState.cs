using Fairlead.Contracts.Errors;

namespace Fairlead;

/// <summary>Where <c>fairlead run</c> keeps what belongs to its user.</summary>
internal static class OwnState
{
    /// <summary><c>run</c> below <c>$XDG_STATE_HOME/fairlead</c>, else below <c>~/.local/state/fairlead</c> (XDG Base Directory Specification).</summary>
    /// <exception cref="FairleadException">There is no home.</exception>
    public static string Directory(Func<string, string?> environment)
    {
        if (environment("XDG_STATE_HOME") is { Length: > 0 } state && Path.IsPathFullyQualified(state))
        {
            return Path.Combine(state, "fairlead", "run");
        }

        return environment("HOME") is { Length: > 0 } home && Path.IsPathFullyQualified(home)
            ? Path.Combine(home, ".local", "state", "fairlead", "run")
            : throw new FairleadException(ErrorCategory.Failed, "run-home", "There is no place for your key", "$HOME is not set", "Set HOME, or XDG_STATE_HOME.");
    }
}
