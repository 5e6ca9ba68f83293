using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Fairlead.Linux.Tun;
using Fairlead.Platform;
using Fairlead.Platform.Resolver;

namespace Fairlead.Linux.Resolver;

/// <summary>
/// systemd-resolved, by its program resolvectl(1): DNS servers and domains of one link, nothing global. Owns the link where it had to make one.
/// Calls are serialised by the owner.
/// </summary>
internal sealed class Resolved : IDisposable
{
    /// <summary>Servers of all other links, one a line, kept up to date by resolved.</summary>
    public const string UplinkFile = "/run/systemd/resolve/resolv.conf";

    private const string VarlinkSocket = "/run/systemd/resolve/io.systemd.Resolve";

    /// <summary>resolved takes 1024 for a link (LINK_SEARCH_DOMAINS_MAX); a cluster's namespaces may be more.</summary>
    private const int MaxDomains = 1000;

    /// <summary>Each answer of resolvectl is a call or two over D-Bus.</summary>
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(10);

    private volatile DnsLink? link;
    private ResolverClaim? claimed;

    /// <summary>127.0.0.53 and .54: resolved itself, when it runs; else some other server may have the addresses.</summary>
    public static bool IsStub(IPAddress address) => address.Equals(IPAddress.Parse("127.0.0.53")) || address.Equals(IPAddress.Parse("127.0.0.54"));

    /// <summary>Its socket outlives it, so somebody must accept.</summary>
    public static bool IsRunning()
    {
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Connect(new UnixDomainSocketEndPoint(VarlinkSocket));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Whether programs ask it without the stub: the module <c>resolve</c> among the host databases (nsswitch.conf(5)).</summary>
    public static bool IsInNameServiceSwitch(IEnumerable<string> lines) => lines
        .Select(line => line.Split('#')[0].Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries))
        .Any(fields => fields is ["hosts:", .. var modules] && modules.Contains("resolve"));

    /// <summary>Somebody deleted the link of ours.</summary>
    public bool HasLostLink => link is { Exists: false };

    /// <exception cref="HostException">The link can't be made, or resolved refuses.</exception>
    public async Task ClaimAsync(ResolverClaim claim, CancellationToken cancellationToken)
    {
        if (claim == claimed && (link is null || link.Exists))
        {
            return;
        }

        var fresh = claimed is null || claimed.Device != claim.Device || !claimed.Server.Equals(claim.Server) || link is { Exists: false };
        if (fresh)
        {
            await ReleaseAsync(cancellationToken);
            link = claim.Device is null ? DnsLink.Open(DnsLink.DefaultName) : null;
            TunLink.AddAddress(claim.Device ?? link!.Name, claim.Server);
        }

        var device = claim.Device ?? link!.Name;
        try
        {
            if (fresh)
            {
                await CallAsync(["default-route", device, "false"], cancellationToken);

                // Names of a cluster are signed by nobody, and asked of nobody else in the network.
                await CallAsync(["dnssec", device, "no"], cancellationToken);
                await CallAsync(["dnsovertls", device, "no"], cancellationToken);
                await CallAsync(["llmnr", device, "no"], cancellationToken);
                await CallAsync(["mdns", device, "no"], cancellationToken);
            }

            // '~': only names below it are asked here; without: it is tried for short names, too.
            var domains = claim.Search.Concat(claim.Domains.Take(MaxDomains - claim.Search.Count).Select(domain => "~" + domain));
            await CallAsync(["domain", device, .. domains], cancellationToken);
            await CallAsync(["dns", device, claim.Server.ToString()], cancellationToken);
            claimed = claim;
        }
        catch
        {
            claimed = null;
            link?.Dispose();
            link = null;
            throw;
        }
    }

    public async Task ReleaseAsync(CancellationToken cancellationToken)
    {
        var before = claimed;
        claimed = null;
        if (link is not null)
        {
            link.Dispose();
            link = null;
        }
        else if (before?.Device is { } device && Native.Libc.InterfaceIndex(device) > 0)
        {
            await CallAsync(["revert", device], cancellationToken);
        }
    }

    public void Dispose() => link?.Dispose();

    private static async Task CallAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        var (exitCode, error) = await HostProgram.RunAsync("resolvectl", arguments, CallTimeout, cancellationToken);
        if (exitCode != 0)
        {
            throw new HostException($"systemd-resolved refused 'resolvectl {arguments[0]}': {error}.");
        }
    }
}

/// <summary>A program of the host that is asked to do one thing.</summary>
internal static class HostProgram
{
    /// <returns>Its exit code, and the first line of what it complained of.</returns>
    /// <exception cref="HostException">It can't be started, or doesn't end; then it is killed.</exception>
    public static async Task<(int ExitCode, string Error)> RunAsync(string name, IReadOnlyList<string> arguments, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var process = Start(name, arguments);
        process.StandardInput.Close();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(timeout);
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(limit.Token);
            var error = await process.StandardError.ReadToEndAsync(limit.Token);
            await output;
            await process.WaitForExitAsync(limit.Token);
            return (process.ExitCode, error.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).FirstOrDefault()?.TrimEnd('.') ?? "it gave no reason");
        }
        catch (OperationCanceledException exception)
        {
            process.Kill(entireProcessTree: true);
            cancellationToken.ThrowIfCancellationRequested();
            throw new HostException($"The program {name} did not end within {timeout.TotalSeconds:0} s.", exception);
        }
    }

    private static Process Start(string name, IReadOnlyList<string> arguments)
    {
        try
        {
            return Process.Start(new ProcessStartInfo(name, arguments)
            {
                UseShellExecute = false,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
        }
        catch (Win32Exception exception)
        {
            throw new HostException($"The program {name} can't be started: it isn't installed, or isn't in the PATH.", exception);
        }
    }
}
