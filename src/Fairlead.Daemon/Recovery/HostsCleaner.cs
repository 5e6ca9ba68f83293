using System.Net;
using Fairlead.Daemon.Names;
using Fairlead.Platform;
using Fairlead.Platform.Capture;
using Fairlead.Platform.Files;
using Fairlead.Platform.Journal;

namespace Fairlead.Daemon.Recovery;

/// <summary>Takes our section out of a hosts file, whoever of us left it there.</summary>
internal static class HostsCleaner
{
    /// <summary>The journal's word for our section of a hosts file.</summary>
    public const string Kind = "hosts-section";

    /// <summary>What the journal keeps: the range that the lines lie in, and the file.</summary>
    public static string Subject(string path, IPNetwork range) => $"{range} {path}";

    /// <summary>The ranges that lines of ours may lie in: <paramref name="range"/>, the default one, and those of earlier runs that the journal knows.</summary>
    public static IReadOnlyList<IPNetwork> Ranges(IPNetwork range, IEnumerable<HostChange> pending)
    {
        var ranges = new List<IPNetwork> { range, CaptureOptions.DefaultRange };
        foreach (var change in pending.Where(change => change.Kind == Kind))
        {
            if (IPNetwork.TryParse(change.Subject.Split(' ')[0], out var earlier))
            {
                ranges.Add(earlier);
            }
        }

        return [.. ranges.Distinct()];
    }

    /// <returns>Whether there was one.</returns>
    /// <exception cref="HostException">The file can't be read or written; a missing file has no section.</exception>
    public static async Task<bool> RemoveAsync(IHostFile file, IReadOnlyList<IPNetwork> ranges, CancellationToken cancellationToken)
    {
        try
        {
            return await file.UpdateAsync(content => HostsFile.Parse(content, ranges) is { HasSection: true } hosts ? hosts.Without() : content, cancellationToken);
        }
        catch (HostFileException e) when (e.Problem == HostFileProblem.Missing)
        {
            return false;
        }
    }
}
