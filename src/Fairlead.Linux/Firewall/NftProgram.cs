using System.ComponentModel;
using System.Diagnostics;
using Fairlead.Platform;

namespace Fairlead.Linux.Firewall;

/// <summary>The <c>nft</c> program (nft(8)), to read with.</summary>
internal static class NftProgram
{
    /// <summary>Every table of this network namespace, as JSON.</summary>
    /// <exception cref="HostException">It can't be had.</exception>
    public static async Task<string> ReadRulesetAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo("nft", ["-j", "list", "ruleset"]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })
                ?? throw new HostException("The program nft did not start.");
            var error = process.StandardError.ReadToEndAsync(cancellationToken);
            var output = await process.StandardOutput.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            return process.ExitCode == 0 ? output : throw new HostException($"nft failed: {(await error).Split('\n')[0]}.");
        }
        catch (Win32Exception exception)
        {
            throw new HostException("The program nft can't be started: it isn't installed, or isn't in the PATH.", exception);
        }
    }
}
