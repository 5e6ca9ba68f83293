using System.Diagnostics;
using Fairlead.Linux.Namespaces;

namespace Fairlead.Sandbox.Network;

/// <summary>A program of the host (ip, nft, mount) failed.</summary>
internal sealed class HostToolException(string message) : Exception(message);

/// <summary>Runs <c>ip -batch -</c>, <c>nft -f -</c> and the like, optionally inside a network namespace.</summary>
internal static class HostTool
{
    /// <summary>Runs to the end with <paramref name="input"/> on standard input and returns standard output.</summary>
    /// <exception cref="HostToolException">It could not be started or its exit code is not 0; the message holds what it said.</exception>
    internal static async Task<string> RunAsync(
        NetworkNamespace? network, string program, IEnumerable<string> arguments, string input, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // A child belongs to the network namespace of the thread that forks it.
        using var process = (network is null ? Process.Start(start) : network.Run(() => Process.Start(start)))
            ?? throw new HostToolException($"cannot start {program}");
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var error = process.StandardError.ReadToEndAsync(cancellationToken);
        try
        {
            await process.StandardInput.WriteAsync(input.AsMemory(), cancellationToken);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading everything: its exit code and message tell why.
        }

        await process.WaitForExitAsync(cancellationToken);
        return process.ExitCode == 0
            ? await output
            : throw new HostToolException($"{program} failed ({process.ExitCode}): {(await error).Trim()}");
    }

    internal static Task IpAsync(NetworkNamespace? network, IEnumerable<string> lines, CancellationToken cancellationToken) =>
        RunAsync(network, "ip", ["-batch", "-"], string.Join('\n', lines) + "\n", cancellationToken);

    internal static Task NftAsync(NetworkNamespace network, string script, CancellationToken cancellationToken) =>
        RunAsync(network, "nft", ["-f", "-"], script, cancellationToken);
}
