using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using Fairlead.Platform.Capture;

namespace Fairlead.Linux.Sockets;

/// <summary>Which process holds a port, as far as /proc tells this user.</summary>
internal sealed record PortHolder(int Pid, string Name)
{
    private const string TcpListening = "0A";

    public override string ToString() => $"{Name} (pid {Pid})";

    /// <summary>Null when it can't be found: it ended, or lives in another PID namespace.</summary>
    public static PortHolder? Find(IPAddress address, ushort port, CaptureProtocol protocol)
    {
        var name = protocol == CaptureProtocol.Tcp ? "tcp" : "udp";
        var inodes = new HashSet<string>(StringComparer.Ordinal);
        foreach (var table in new[] { $"/proc/thread-self/net/{name}", $"/proc/thread-self/net/{name}6" })
        {
            if (File.Exists(table))
            {
                inodes.UnionWith(Inodes(File.ReadLines(table), address, port, protocol));
            }
        }

        return inodes.Count == 0 ? null : FindOwner(inodes);
    }

    /// <summary>
    /// Lines as <c>sl local_address rem_address st … uid timeout inode</c>: the address in hexadecimal, each 32 bits in host order, then
    /// the port. A wildcard of either family holds the port at every address.
    /// </summary>
    internal static IEnumerable<string> Inodes(IEnumerable<string> lines, IPAddress address, ushort port, CaptureProtocol protocol)
    {
        Span<byte> octets = stackalloc byte[4];
        address.TryWriteBytes(octets, out _);
        var wanted = BinaryPrimitives.ReadUInt32LittleEndian(octets).ToString("X8", CultureInfo.InvariantCulture);
        var suffix = ":" + port.ToString("X4", CultureInfo.InvariantCulture);
        string[] holders = ["00000000" + suffix, wanted + suffix, new string('0', 32) + suffix, "0000000000000000FFFF0000" + wanted + suffix];
        return lines.Skip(1)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(fields => fields.Length > 9 && holders.Contains(fields[1]) && (protocol == CaptureProtocol.Udp || fields[3] == TcpListening))
            .Select(fields => fields[9]);
    }

    private static PortHolder? FindOwner(HashSet<string> inodes)
    {
        foreach (var process in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(process), NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
            {
                continue;
            }

            try
            {
                foreach (var descriptor in Directory.EnumerateFileSystemEntries(process + "/fd"))
                {
                    if (new FileInfo(descriptor).LinkTarget is { } target && target.StartsWith("socket:[", StringComparison.Ordinal) && inodes.Contains(target[8..^1]))
                    {
                        return new PortHolder(pid, File.ReadAllText(process + "/comm").TrimEnd());
                    }
                }
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // It ended meanwhile, or it isn't ours to look at: go on with the next.
            }
        }

        return null;
    }
}
