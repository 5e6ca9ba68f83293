using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace Fairlead.Sandbox.Images;

/// <summary>
/// What an image would bring: how its program runs and which directories of the host it consists of. Settable, because the generated
/// reader gives absent init-only properties null instead of their default.
/// </summary>
internal sealed record Image
{
    /// <summary>A glob over the image's whole name and tag, for example <c>redis:*</c>.</summary>
    public required string Name { get; set; }

    public IReadOnlyList<string> Entrypoint { get; set; } = [];

    /// <summary>Arguments used when the container gives neither command nor args.</summary>
    public IReadOnlyList<string> Arguments { get; set; } = [];

    public string? User { get; set; }

    public string? Group { get; set; }

    public IReadOnlyDictionary<string, string> Environment { get; set; } = new Dictionary<string, string>();

    public string? WorkingDirectory { get; set; }

    /// <summary>Path in the container → file or directory of the host, read only.</summary>
    public IReadOnlyDictionary<string, string> Files { get; set; } = new Dictionary<string, string>();
}

/// <summary>A table file that cannot be used.</summary>
internal sealed class ImageTableException(string message) : Exception(message);

/// <summary>
/// Image name → program of this host. Paths may hold variables in the form <c>${name}</c>; an image that needs a variable without a value
/// is as unknown as one that is not in the table. Tables that are added are looked at first.
/// </summary>
internal sealed partial class ImageTable
{
    private readonly List<Image> images;

    private ImageTable(List<Image> images) => this.images = images;

    /// <param name="variables">For example <c>gateway</c> → the path of the gateway's program.</param>
    internal static ImageTable Default(IReadOnlyDictionary<string, string> variables)
    {
        using var resource = typeof(ImageTable).Assembly.GetManifestResourceStream("images.json")
            ?? throw new InvalidOperationException("images.json is not embedded");
        using var reader = new StreamReader(resource);
        return Parse(reader.ReadToEnd(), variables);
    }

    /// <exception cref="ImageTableException">Not a table.</exception>
    internal static ImageTable Parse(string json, IReadOnlyDictionary<string, string> variables)
    {
        try
        {
            var parsed = JsonSerializer.Deserialize(json, ImageTableJson.Default.ListImage) ?? [];
            return new ImageTable([.. parsed.Select(image => Resolve(image, variables)).OfType<Image>()]);
        }
        catch (JsonException e)
        {
            throw new ImageTableException($"the image table is not valid: {e.Message}");
        }
    }

    internal ImageTable Before(ImageTable other) => new([.. images, .. other.images]);

    /// <summary>The image of a container, or null: it cannot be "pulled".</summary>
    internal Image? Find(string name)
    {
        var tagged = name.LastIndexOf(':') > name.LastIndexOf('/') ? name : name + ":latest";
        return images.Find(image => Glob(image.Name).IsMatch(name) || Glob(image.Name).IsMatch(tagged));
    }

    private static Regex Glob(string pattern) =>
        new($"^{Regex.Escape(pattern).Replace("\\*", ".*")}$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1));

    private static Image? Resolve(Image image, IReadOnlyDictionary<string, string> variables)
    {
        var complete = true;
        string Fill(string text) => Variable().Replace(text, match =>
        {
            var found = variables.TryGetValue(match.Groups["name"].Value, out var value);
            complete &= found;
            return value ?? "";
        });

        var resolved = image with
        {
            Entrypoint = [.. image.Entrypoint.Select(Fill)],
            Arguments = [.. image.Arguments.Select(Fill)],
            Environment = image.Environment.ToDictionary(e => e.Key, e => Fill(e.Value)),
            Files = image.Files.ToDictionary(f => f.Key, f => Fill(f.Value)),
        };
        return complete ? resolved : null;
    }

    [GeneratedRegex(@"\$\{(?<name>[a-zA-Z]+)\}", RegexOptions.ExplicitCapture)]
    private static partial Regex Variable();
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, ReadCommentHandling = JsonCommentHandling.Skip,
    AllowTrailingCommas = true, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(List<Image>))]
internal sealed partial class ImageTableJson : JsonSerializerContext;
