using System.Diagnostics;
using System.Globalization;
using Fairlead.Platform;

namespace Fairlead.Linux.Enclosure;

/// <summary>Whether this user can have private namespaces, without root (user_namespaces(7)). Tried for real; what is set on this system only explains a refusal.</summary>
public static class EnclosureProbe
{
    /// <summary>What puts a command into user, network and mount namespaces of its own, as the same user; the command follows. util-linux 2.36 or later.</summary>
    public static readonly IReadOnlyList<string> Enter = ["unshare", "--user", "--map-current-user", "--keep-caps", "--net", "--mount", "--"];

    /// <returns>Null when it works.</returns>
    public static async Task<EnclosureObstacle?> FindObstacleAsync(CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(Enter[0], [.. Enter.Skip(1), "true"]) { UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true };
        try
        {
            using var process = Process.Start(start) ?? throw new HostException($"{Enter[0]} can't be started.");
            var said = await process.StandardError.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            return process.ExitCode != 0 ? Explain(said.Trim(), ReadSetting)
                : File.Exists("/dev/net/tun") ? null
                : new EnclosureObstacle("there is no /dev/net/tun", "Load the kernel's module: 'sudo modprobe tun'.");
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return new EnclosureObstacle($"{Enter[0]} can't be run: {e.Message}", "Install util-linux.");
        }
    }

    /// <param name="said">By unshare(1).</param>
    /// <param name="setting">Reads a file below /proc/sys; null where it doesn't exist.</param>
    internal static EnclosureObstacle Explain(string said, Func<string, string?> setting)
    {
        if (said.Contains("unrecognized option", StringComparison.Ordinal))
        {
            return new EnclosureObstacle("unshare of this system is too old", "Install util-linux 2.36 or later.");
        }

        if (setting("user/max_user_namespaces") == "0")
        {
            return Setting("user.max_user_namespaces", "0", "65536");
        }

        if (setting("kernel/unprivileged_userns_clone") == "0")
        {
            return Setting("kernel.unprivileged_userns_clone", "0", "1");
        }

        if (setting("kernel/apparmor_restrict_unprivileged_userns") is { } restricted && restricted != "0")
        {
            return Setting("kernel.apparmor_restrict_unprivileged_userns", restricted, "0") with
            {
                Hint = "An administrator allows fairlead alone by an AppArmor profile with 'userns,' (docs/run.md), or every program by 'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0'.",
            };
        }

        return said.Contains("No space left", StringComparison.Ordinal)
            ? new EnclosureObstacle($"as many user namespaces exist as this system allows (user.max_user_namespaces is {setting("user/max_user_namespaces")})", "End what uses them, or 'sudo sysctl -w user.max_user_namespaces=65536'.")
            : new EnclosureObstacle(said.Length > 0 ? said : "the kernel refuses without a reason", "In a container, its engine must allow unshare(2) (seccomp); else use 'fairlead connect'.");
    }

    private static EnclosureObstacle Setting(string name, string value, string wanted) => new(
        string.Create(CultureInfo.InvariantCulture, $"this system forbids user namespaces ({name} is {value})"),
        $"An administrator allows them: 'sudo sysctl -w {name}={wanted}' (and in /etc/sysctl.d, to keep it).");

    private static string? ReadSetting(string name)
    {
        try
        {
            return File.ReadAllText("/proc/sys/" + name).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}

/// <param name="Reason">One clause.</param>
/// <param name="Hint">What to do.</param>
public sealed record EnclosureObstacle(string Reason, string Hint);
