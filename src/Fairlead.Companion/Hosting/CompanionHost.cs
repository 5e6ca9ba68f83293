using Fairlead.Companion.Enrolment;
using Fairlead.Contracts.Errors;
using Microsoft.Extensions.Logging;

namespace Fairlead.Companion.Hosting;

/// <summary>The companion, as the executable starts it.</summary>
public static class CompanionHost
{
    private const string LockFile = "fairlead-companion.lock";

    /// <summary>Runs until no space needs it, another companion took its place, or the daemon has been gone for long. Returns at once where one runs already.</summary>
    /// <exception cref="FairleadException">It must not or can't run here.</exception>
    public static async Task RunAsync(CompanionOptions options, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(loggers);
        CompanionOptions.RequireOwnUser(Environment.IsPrivilegedProcess, Environment.GetEnvironmentVariable);
        using var only = TryLock(options.LockDirectory);
        if (only is null)
        {
            return;
        }

        using var daemon = new DaemonSocket(options.Socket);
        using var clusters = new ClusterClients(TimeProvider.System);
        var companion = new RunningCompanion(daemon, clusters, new KubernetesEnrolment(TimeProvider.System), TimeProvider.System, loggers.CreateLogger<RunningCompanion>());
        await companion.RunAsync(cancellationToken);
    }

    /// <returns>Null when another process holds it. The kernel frees it when its holder ends, however it ends.</returns>
    private static FileStream? TryLock(string directory)
    {
        try
        {
            Directory.CreateDirectory(directory);
            return new FileStream(Path.Combine(directory, LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (File.Exists(Path.Combine(directory, LockFile)) && e is not DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new FairleadException(ErrorCategory.Failed, "companion-lock", "The companion has no place for its lock", e.Message, "Set XDG_RUNTIME_DIR to a directory of yours.", e);
        }
    }
}
