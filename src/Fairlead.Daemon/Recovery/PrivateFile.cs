using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Fairlead.Daemon.Recovery;

/// <summary>Files of our own state: their owner's only, and always whole (written beside, flushed, renamed).</summary>
internal static class PrivateFile
{
    private const UnixFileMode FileMode600 = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode DirectoryMode700 = FileMode600 | UnixFileMode.UserExecute;

    public static void CreateDirectory(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
        }
        else
        {
            Directory.CreateDirectory(path, DirectoryMode700);
        }
    }

    /// <exception cref="IOException">The old content is still there.</exception>
    public static void Write(string path, ReadOnlySpan<byte> content)
    {
        CreateDirectory(Path.GetDirectoryName(path)!);

        // Two processes of one user may write one file ('fairlead run' twice): each writes beside, the last rename wins.
        var beside = $"{path}.{Environment.ProcessId}.new";
        File.Delete(beside);
        var options = new FileStreamOptions { Mode = System.IO.FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = FileMode600;
        }

        using (var stream = new FileStream(beside, options))
        {
            stream.Write(content);
            stream.Flush(flushToDisk: true);
        }

        File.Move(beside, path, overwrite: true);
    }

    public static void WriteJson<T>(string path, T value, JsonTypeInfo<T> type) => Write(path, JsonSerializer.SerializeToUtf8Bytes(value, type));

    /// <summary>Null when the file isn't there.</summary>
    /// <exception cref="JsonException">It holds something else.</exception>
    public static T? ReadJson<T>(string path, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), type);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }
}
