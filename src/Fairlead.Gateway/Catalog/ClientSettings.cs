using System.Collections.Frozen;

namespace Fairlead.Gateway.Catalog;

/// <summary>What the admin sets for every client, as its ConfigMap says. One writer (its informer), any number of readers. What a value means is the client's business.</summary>
internal sealed class ClientSettings
{
    /// <summary>There are a handful of keys; the rest is for those of later versions.</summary>
    private const int MaxKeys = 64;

    /// <summary>Lists of a few hundred subnets fit; the whole is one line of the catalog, which clients bound to 1 MiB.</summary>
    private const int MaxValue = 8192;

    private volatile FrozenDictionary<string, string> current = FrozenDictionary<string, string>.Empty;

    /// <summary>Called after a change.</summary>
    public Action? Changed { get; set; }

    /// <summary>Another instance whenever something changed.</summary>
    public IReadOnlyDictionary<string, string> Current => current;

    /// <summary>Takes over the ConfigMap's data; what exceeds the bounds is left out.</summary>
    public void Replace(IReadOnlyDictionary<string, string> data)
    {
        var next = data.Where(d => d.Value.Length is > 0 and <= MaxValue).OrderBy(d => d.Key, StringComparer.Ordinal).Take(MaxKeys).ToFrozenDictionary();
        if (next.Count == current.Count && next.All(d => current.GetValueOrDefault(d.Key) == d.Value))
        {
            return;
        }

        current = next;
        Changed?.Invoke();
    }
}
