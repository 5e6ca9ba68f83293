namespace Fairlead.Sandbox.ApiServer.Patching;

/// <summary>
/// How the parts of a kind merge, for strategic merge patches and server-side apply: which lists are maps by a key or sets, everything
/// else is replaced. What a schema doesn't name merges as plain JSON does.
/// </summary>
internal sealed record MergeSchema
{
    /// <summary>A map or a scalar without particulars; also a list that is replaced as a whole.</summary>
    public static readonly MergeSchema Object = new();

    /// <summary>A map or list that is always replaced as a whole.</summary>
    public static readonly MergeSchema Atomic = new() { IsAtomic = true };

    /// <summary>A list of scalars, merged as a set.</summary>
    public static readonly MergeSchema Set = new() { IsSet = true };

    public IReadOnlyDictionary<string, MergeSchema> Fields { get; init; } = new Dictionary<string, MergeSchema>();

    /// <summary>The schema of a list's items, or of a map's values whose names aren't known.</summary>
    public MergeSchema? Items { get; init; }

    /// <summary>The one key by which a strategic merge patch matches items (<c>patchMergeKey</c>).</summary>
    public string? PatchKey { get; init; }

    /// <summary>The keys by which server-side apply matches items (<c>x-kubernetes-list-map-keys</c>).</summary>
    public IReadOnlyList<string> ListKeys { get; init; } = [];

    /// <summary>Values of list keys that an applied item may leave out.</summary>
    public IReadOnlyDictionary<string, string> KeyDefaults { get; init; } = new Dictionary<string, string>();

    public bool IsSet { get; init; }

    public bool IsAtomic { get; init; }

    public MergeSchema Field(string name) => Fields.GetValueOrDefault(name) ?? Items ?? Object;

    /// <summary>A list whose items are matched by one key in both ways of patching.</summary>
    public static MergeSchema ListBy(string key, MergeSchema? items = null) =>
        new() { PatchKey = key, ListKeys = [key], Items = items ?? Object };

    public static MergeSchema Of(params ReadOnlySpan<(string Name, MergeSchema Schema)> fields)
    {
        var named = new Dictionary<string, MergeSchema>();
        foreach (var (name, schema) in fields)
        {
            named[name] = schema;
        }

        return new MergeSchema { Fields = named };
    }

    public MergeSchema With(params ReadOnlySpan<(string Name, MergeSchema Schema)> fields)
    {
        var named = new Dictionary<string, MergeSchema>(Fields);
        foreach (var (name, schema) in fields)
        {
            named[name] = schema;
        }

        return this with { Fields = named };
    }
}
