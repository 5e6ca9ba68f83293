using Fairlead.Contracts.Errors;

namespace Fairlead.Companion.Hosting;

/// <param name="Socket">Of the daemon's local API.</param>
/// <param name="LockDirectory">Where the lock is that keeps a second companion of this user away.</param>
public sealed record CompanionOptions(string Socket, string LockDirectory)
{
    /// <summary><c>$XDG_RUNTIME_DIR</c>, else <c>~/.cache/fairlead</c> (XDG Base Directory Specification).</summary>
    public static string DefaultLockDirectory(Func<string, string?> environment) =>
        environment("XDG_RUNTIME_DIR") is { Length: > 0 } runtime && Directory.Exists(runtime) ? runtime : Path.Combine(Home(environment), ".cache", "fairlead");

    /// <summary><c>companion.log</c> below <c>$XDG_STATE_HOME/fairlead</c>, else below <c>~/.local/state/fairlead</c>.</summary>
    public static string DefaultLog(Func<string, string?> environment) =>
        Path.Combine(environment("XDG_STATE_HOME") is { Length: > 0 } state ? state : Path.Combine(Home(environment), ".local", "state"), "fairlead", "companion.log");

    /// <summary>A kubeconfig may name programs, and those never run as root for somebody else.</summary>
    /// <exception cref="FairleadException">This process is root because somebody else used sudo.</exception>
    public static void RequireOwnUser(bool privileged, Func<string, string?> environment)
    {
        if (privileged && environment("SUDO_UID") is { Length: > 0 } uid && uid != "0")
        {
            throw new FairleadException(
                ErrorCategory.Denied, "companion-root", "The companion does not run as root for another user", $"sudo was used by uid {uid}, whose kubeconfig may name programs to run", "Do the same without sudo.");
        }
    }

    private static string Home(Func<string, string?> environment) => environment("HOME") is { Length: > 0 } home
        ? home
        : throw new FairleadException(ErrorCategory.Failed, "companion-home", "The companion has no place for its files", "$HOME is not set", "Set HOME.");
}
