using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text.Json;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Image;

/// <summary>An OCI image layout in a tar, read whole. Every blob that is followed is checked against its digest.</summary>
internal sealed class OciArchive
{
    private readonly Dictionary<string, byte[]> _entries = [];

    private OciArchive(string file)
    {
        using var tar = new TarReader(File.OpenRead(file));
        while (tar.GetNextEntry() is { } entry)
        {
            if (entry.DataStream is { } data)
            {
                var content = new byte[entry.Length];
                data.ReadExactly(content);
                _entries[entry.Name] = content;
            }
        }

        var index = Parse(_entries["index.json"]).GetProperty("manifests")[0];
        ManifestDigest = index.GetProperty("digest").GetString()!;
        Name = index.GetProperty("annotations").GetProperty("org.opencontainers.image.ref.name").GetString()!;
        var manifest = Parse(Blob(ManifestDigest));
        Config = Parse(Blob(manifest.GetProperty("config").GetProperty("digest").GetString()!)).GetProperty("config");
        Layers = [.. manifest.GetProperty("layers").EnumerateArray().Select(l => Blob(l.GetProperty("digest").GetString()!))];
    }

    public string ManifestDigest { get; }

    public string Name { get; }

    /// <summary>User, entry point and environment.</summary>
    public JsonElement Config { get; }

    /// <summary>Compressed tars, the lowest first.</summary>
    public IReadOnlyList<byte[]> Layers { get; }

    public static OciArchive Read(string file) => new(file);

    /// <summary>The files as a container sees them; whiteouts are not expected.</summary>
    public async Task UnpackAsync(string directory)
    {
        foreach (var layer in Layers)
        {
            var file = Path.Combine(directory, ".layer");
            await File.WriteAllBytesAsync(file, layer);
            (await Shell.RunAsync(["tar", "--extract", "--gzip", "--file", file, "--directory", directory])).ShouldSucceed();
            File.Delete(file);
        }
    }

    private byte[] Blob(string digest)
    {
        var content = _entries[$"blobs/{digest.Replace(':', '/')}"];
        $"sha256:{Convert.ToHexStringLower(SHA256.HashData(content))}".ShouldBe(digest);
        return content;
    }

    private static JsonElement Parse(byte[] json) => JsonDocument.Parse(json).RootElement;
}
