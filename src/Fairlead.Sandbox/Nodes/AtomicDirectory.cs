using Fairlead.Linux.Namespaces;

namespace Fairlead.Sandbox.Nodes;

/// <summary>One file of a ConfigMap, Secret, projected or downward API volume.</summary>
internal readonly record struct VolumeFile(byte[] Content, UnixFileMode Mode);

/// <summary>
/// A directory whose files change all at once, as a kubelet does it: <c>NAME → ..data/NAME</c>, and <c>..data</c> is a symbolic link that
/// is renamed over.
/// </summary>
internal static class AtomicDirectory
{
    private const UnixFileMode Open = (UnixFileMode)0x1ed;      // 0755

    private static int version;

    /// <summary>True when something changed. Names are relative and stay inside (checked). A group (fsGroup) may read every file.</summary>
    internal static bool Write(string directory, IReadOnlyDictionary<string, VolumeFile> files, int? group = null)
    {
        foreach (var name in files.Keys)
        {
            if (name.Length == 0 || name.StartsWith('/') || name.Split('/').Contains("..") || name.StartsWith("..", StringComparison.Ordinal))
            {
                throw new ContainerConfigException($"\"{name}\" cannot be a file of a volume");
            }
        }

        Directory.CreateDirectory(directory, Open);
        var data = Path.Combine(directory, "..data");
        var old = new DirectoryInfo(data).LinkTarget is { } target ? Path.Combine(directory, target) : null;
        if (old is not null && Same(old, files, group))
        {
            return false;
        }

        var next = $"..{Interlocked.Increment(ref version)}";
        foreach (var (name, file) in files)
        {
            var path = Path.Combine(directory, next, name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!, Open);
            File.WriteAllBytes(path, file.Content);
            File.SetUnixFileMode(path, Mode(file, group));
            if (group is not null)
            {
                HostFiles.ChangeOwner(path, null, group);
            }
        }

        Directory.CreateDirectory(Path.Combine(directory, next), Open);
        HostFiles.ReplaceLink(data, next);
        Link(directory, files.Keys);
        if (old is not null)
        {
            Directory.Delete(old, recursive: true);
        }

        return true;
    }

    private static UnixFileMode Mode(VolumeFile file, int? group) => group is null ? file.Mode : file.Mode | UnixFileMode.GroupRead;

    private static void Link(string directory, IEnumerable<string> names)
    {
        var wanted = names.Select(name => name.Split('/')[0]).ToHashSet();
        foreach (var entry in new DirectoryInfo(directory).EnumerateFileSystemInfos())
        {
            if (!entry.Name.StartsWith("..", StringComparison.Ordinal) && !wanted.Remove(entry.Name))
            {
                entry.Delete();
            }
        }

        foreach (var name in wanted)
        {
            File.CreateSymbolicLink(Path.Combine(directory, name), Path.Combine("..data", name));
        }
    }

    private static bool Same(string directory, IReadOnlyDictionary<string, VolumeFile> files, int? group) =>
        Directory.Exists(directory)
        && Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Count() == files.Count
        && files.All(f => Path.Combine(directory, f.Key) is var path && File.Exists(path)
            && File.GetUnixFileMode(path) == Mode(f.Value, group) && File.ReadAllBytes(path).AsSpan().SequenceEqual(f.Value.Content));
}
