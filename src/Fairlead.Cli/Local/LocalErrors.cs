using System.Net.Sockets;
using Fairlead.Cli.Verbs;
using Fairlead.Contracts.Errors;

namespace Fairlead.Cli.Local;

/// <summary>Ways in which the daemon can't be asked.</summary>
internal static class LocalErrors
{
    public const string NotRunning = "daemon-not-running";

    public static FairleadException Connect(string path, SocketException cause) => cause.SocketErrorCode switch
    {
        SocketError.AccessDenied => new(ErrorCategory.Denied, "daemon-denied", "This user may not ask the daemon", $"{path} cannot be opened: {cause.Message}", "Try the same with sudo.", cause),
        _ => new(ErrorCategory.NotConnected, NotRunning, "The daemon is not running", $"nobody listens on {path}", "sudo fairlead start", cause),
    };

    public static FairleadException NoAnswer(string path, TimeSpan waited) => new(
        ErrorCategory.TimedOut, "daemon-timeout", "The daemon did not answer in time", $"{path} took longer than {waited.TotalSeconds:F0} s", "fairlead doctor   (or: fairlead logs)");

    public static FairleadException Broken(string path, Exception cause) => new(
        ErrorCategory.Failed, "daemon-broken-off", "The daemon broke off its answer", $"{path}: {cause.Message}", "fairlead status   (it may have been stopped), then fairlead logs", cause);

    /// <param name="daemonVersion">As the daemon says it; null when it doesn't.</param>
    public static FairleadException BadAnswer(string path, string why, string? daemonVersion) => daemonVersion is null || daemonVersion == DiagnosticVerbs.ProductVersion
        ? new(ErrorCategory.Failed, "daemon-answer", "The daemon's answer makes no sense", $"{path}: {why}", "sudo fairlead restart   (daemon and command line may be of different versions)")
        : new(ErrorCategory.Failed, "daemon-answer", "The daemon's answer makes no sense", $"the daemon is of version {daemonVersion}, this is version {DiagnosticVerbs.ProductVersion} ({path}: {why})", "sudo fairlead restart   (with the newer of the two)");
}
