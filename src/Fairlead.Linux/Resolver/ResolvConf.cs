using System.Net;
using System.Text;

namespace Fairlead.Linux.Resolver;

/// <summary>What a resolv.conf says (resolv.conf(5)). Pure.</summary>
/// <param name="Servers">In their order; addresses that make no sense are left out, as the C library does.</param>
/// <param name="Search">Of the last line of <c>search</c> or <c>domain</c>.</param>
/// <param name="Others">The lines of <c>options</c> and <c>sortlist</c>, as they are.</param>
/// <param name="Writer">Who wrote it, where its first comment says so.</param>
internal sealed record ResolvConf(IReadOnlyList<IPAddress> Servers, IReadOnlyList<string> Search, IReadOnlyList<string> Others, string? Writer)
{
    /// <summary>The C library asks three; a list of more is not worth reading to its end.</summary>
    private const int MaxServers = 8;

    /// <summary>The C library's own bound was six for long, and has none today.</summary>
    private const int MaxSearch = 32;

    /// <summary>Programs that say in the file that it is theirs.</summary>
    private static readonly string[] Writers = ["NetworkManager", "systemd-resolved", "systemd", "resolvconf", "dhcpcd", "dhclient", "openvpn", "wg-quick", "connman", "pppd", "Docker", "netconfig"];

    public static ResolvConf Parse(ReadOnlySpan<byte> content)
    {
        var servers = new List<IPAddress>();
        var search = new List<string>();
        var others = new List<string>();
        string? writer = null;
        foreach (var raw in Encoding.UTF8.GetString(content).Split('\n'))
        {
            var line = raw.TrimEnd('\r', ' ', '\t');
            if (line.Length == 0)
            {
                continue;
            }

            if (line[0] is '#' or ';')
            {
                writer ??= Writers.FirstOrDefault(name => line.Contains(name, StringComparison.OrdinalIgnoreCase));
                continue;
            }

            switch (line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries))
            {
                case ["nameserver", var text, ..] when IPAddress.TryParse(text, out var address) && servers.Count < MaxServers && !servers.Contains(address):
                    servers.Add(address);
                    break;
                case ["search" or "domain", .. var suffixes]:
                    search = [.. suffixes.Select(suffix => suffix.TrimEnd('.')).Where(suffix => suffix.Length > 0).Take(MaxSearch)];
                    break;
                case ["options" or "sortlist", ..]:
                    others.Add(line);
                    break;
            }
        }

        return new ResolvConf(servers, search, others, writer);
    }
}
