using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using Fairlead.Platform;

namespace Fairlead.Linux.Capture;

/// <summary>
/// The nftables table of the redirect, by the <c>nft</c> program (nft(8)); each script is one transaction. Other tables are never touched.
/// It redirects what local programs send to captured ports and refuses the other ports of owned addresses.
/// </summary>
internal sealed class NftTable(string name)
{
    /// <summary>Of <see cref="Platform.Journal.HostChange"/>; the subject is the table's name.</summary>
    public const string JournalKind = "nft-table";

    public const string DefaultName = "fairlead";

    /// <summary>Sets: captured TCP ports, addresses with every TCP port, UDP ports with their socket's port, owned addresses.</summary>
    public enum Collection
    {
        TcpPorts,
        TcpAddresses,
        UdpPorts,
        Owned,
    }

    /// <summary>Makes the table anew with these elements, in one transaction.</summary>
    public async Task CreateAsync(IPEndPoint listener, IReadOnlyList<(Collection Where, string Element)> elements, CancellationToken cancellationToken)
    {
        var script = new StringBuilder(CreateScript(listener));
        AppendElements(script, "add", elements);
        await RunAsync(script.ToString(), cancellationToken);
    }

    /// <summary>No error when it isn't there.</summary>
    public Task DeleteAsync(CancellationToken cancellationToken) => RunAsync($"add table ip {name}\ndelete table ip {name}\n", cancellationToken);

    /// <summary>One transaction. Elements as <c>127.72.0.5 . 80</c>, <c>127.72.0.5</c> or <c>127.72.0.5 . 53 : 40001</c>.</summary>
    public async Task ChangeAsync(
        IReadOnlyList<(Collection Where, string Element)> remove, IReadOnlyList<(Collection Where, string Element)> add, CancellationToken cancellationToken)
    {
        var script = new StringBuilder();
        AppendElements(script, "delete", remove);
        AppendElements(script, "add", add);
        if (script.Length > 0)
        {
            await RunAsync(script.ToString(), cancellationToken);
        }
    }

    internal string CreateScript(IPEndPoint listener) => string.Create(CultureInfo.InvariantCulture, $$"""
        add table ip {{name}}
        delete table ip {{name}}
        table ip {{name}} {
            set tcp_ports { type ipv4_addr . inet_service; }
            set tcp_addresses { type ipv4_addr; }
            map udp_ports { type ipv4_addr . inet_service : inet_service; }
            set owned { type ipv4_addr; }
            chain outgoing {
                type nat hook output priority -100; policy accept;
                ip daddr . tcp dport @tcp_ports dnat to {{listener}}
                ip daddr @tcp_addresses meta l4proto tcp dnat to {{listener}}
                meta l4proto udp dnat to {{listener.Address}} : ip daddr . udp dport map @udp_ports
            }
            chain unknown {
                type filter hook input priority 0; policy accept;
                ip daddr @owned meta l4proto tcp reject with tcp reset
                ip daddr @owned meta l4proto udp reject with icmp type port-unreachable
                ip daddr {{listener.Address}} ct status dnat accept
                ip daddr {{listener.Address}} meta l4proto tcp reject with tcp reset
                ip daddr {{listener.Address}} meta l4proto udp reject with icmp type port-unreachable
            }
        }

        """);

    private void AppendElements(StringBuilder script, string verb, IReadOnlyList<(Collection Where, string Element)> elements)
    {
        foreach (var group in elements.GroupBy(element => element.Where))
        {
            var set = group.Key switch
            {
                Collection.TcpPorts => "tcp_ports",
                Collection.TcpAddresses => "tcp_addresses",
                Collection.UdpPorts => "udp_ports",
                _ => "owned",
            };
            script.Append(CultureInfo.InvariantCulture, $"{verb} element ip {name} {set} {{ {string.Join(", ", group.Select(element => element.Element))} }}\n");
        }
    }

    private static async Task RunAsync(string script, CancellationToken cancellationToken)
    {
        using var process = Start();

        // Once begun it is waited for: a transaction whose outcome isn't known would leave table and memory apart.
        cancellationToken.ThrowIfCancellationRequested();
        var output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        var error = process.StandardError.ReadToEndAsync(CancellationToken.None);
        try
        {
            await process.StandardInput.WriteAsync(script);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading: its exit code and words say why.
        }

        await process.WaitForExitAsync(CancellationToken.None);
        await output;
        if (process.ExitCode != 0)
        {
            throw new HostException($"nft failed: {FirstLine(await error)}.");
        }
    }

    private static Process Start()
    {
        try
        {
            return Process.Start(new ProcessStartInfo("nft", ["-f", "-"])
            {
                UseShellExecute = false,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
        }
        catch (Win32Exception exception)
        {
            throw new HostException("The program nft can't be started: it isn't installed, or isn't in the PATH.", exception);
        }
    }

    private static string FirstLine(string text) =>
        text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).FirstOrDefault() ?? "it gave no reason";
}
