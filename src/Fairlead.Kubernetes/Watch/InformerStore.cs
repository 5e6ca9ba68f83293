using System.Collections.Immutable;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Kubernetes;

/// <summary>
/// What an informer knows, and the rule by which news becomes events: lists and watches may overlap, repeat and skip, the events that
/// come out tell each change once. Pure but for the snapshot it replaces; one writer.
/// </summary>
internal sealed class InformerStore<T>
    where T : KubeObject
{
    private volatile ImmutableDictionary<(string Namespace, string Name), T> _objects = ImmutableDictionary<(string, string), T>.Empty;

    /// <summary>Version up to which everything is in <see cref="Objects"/>; null before the first list.</summary>
    public string? Position { get; private set; }

    public ImmutableDictionary<(string Namespace, string Name), T> Objects => _objects;

    /// <summary>Makes the store equal to a list. Events: what is gone, then what is new or changed, in the list's order.</summary>
    public IEnumerable<InformerEvent<T>> Replace(ResourceList<T> list)
    {
        var gone = _objects.Keys.ToHashSet();
        gone.ExceptWith(list.Items.Select(Key));
        foreach (var key in gone)
        {
            yield return Remove(key, _objects[key]);
        }

        foreach (var item in list.Items)
        {
            foreach (var change in Set(item))
            {
                yield return change;
            }
        }

        Position = list.ResourceVersion;
    }

    /// <summary>Takes in one event of a watch that was begun at <see cref="Position"/>.</summary>
    public IEnumerable<InformerEvent<T>> Take(WatchEvent<T> news)
    {
        if (IsRepeat(news))
        {
            yield break;
        }

        if (news.Object is { } value)
        {
            if (news.Type != WatchEventType.Deleted)
            {
                foreach (var change in Set(value))
                {
                    yield return change;
                }
            }
            else if (_objects.TryGetValue(Key(value), out var known))
            {
                yield return Remove(Key(value), known, value);
            }
        }

        Position = news.ResourceVersion;
    }

    /// <summary>
    /// A watch tells what is newer than its start, in the order of versions; what isn't newer than we are was told already. Versions
    /// are compared only where they are numbers, which they are for everything that etcd keeps.
    /// </summary>
    private bool IsRepeat(WatchEvent<T> news) =>
        news.Type != WatchEventType.Bookmark && ulong.TryParse(news.ResourceVersion, out var version)
        && ulong.TryParse(Position, out var position) && version <= position;

    private IEnumerable<InformerEvent<T>> Set(T value)
    {
        var key = Key(value);
        if (_objects.TryGetValue(key, out var known))
        {
            if (known.Metadata.Uid != value.Metadata.Uid)
            {
                // Deleted and made again while nobody watched.
                yield return Remove(key, known);
            }
            else if (known.Metadata.ResourceVersion == value.Metadata.ResourceVersion)
            {
                yield break;
            }
            else
            {
                _objects = _objects.SetItem(key, value);
                yield return new InformerEvent<T>(InformerEventType.Modified, value, known);
                yield break;
            }
        }

        _objects = _objects.SetItem(key, value);
        yield return new InformerEvent<T>(InformerEventType.Added, value, null);
    }

    private InformerEvent<T> Remove((string, string) key, T known, T? last = null)
    {
        _objects = _objects.Remove(key);
        return new InformerEvent<T>(InformerEventType.Deleted, last ?? known, known);
    }

    private static (string Namespace, string Name) Key(T value) => (value.Metadata.Namespace ?? "", value.Metadata.Name ?? "");
}
