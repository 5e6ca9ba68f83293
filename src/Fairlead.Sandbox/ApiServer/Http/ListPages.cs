using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Http;

/// <summary>
/// The lists that clients read page by page (<c>limit</c>, <c>continue</c>): each goes on from the state that its first page saw. The
/// latest few are kept; an older one has expired, which clients answer by listing again.
/// </summary>
internal sealed class ListPages
{
    /// <summary>Each holds references only, but keeps old objects alive.</summary>
    private const int Kept = 16;

    private readonly Lock gate = new();
    private readonly LinkedList<(Guid Id, IReadOnlyList<JsonObject> Items, long Version)> lists = new();

    /// <summary>One page; <c>Continue</c> is null on the last.</summary>
    public (IReadOnlyList<JsonObject> Items, string? Continue, int Remaining) First(IReadOnlyList<JsonObject> items, long version, int limit)
    {
        if (limit <= 0 || items.Count <= limit)
        {
            return (items, null, 0);
        }

        var id = Guid.NewGuid();
        lock (gate)
        {
            lists.AddLast((id, items, version));
            if (lists.Count > Kept)
            {
                lists.RemoveFirst();
            }
        }

        return Page(id, items, 0, limit);
    }

    /// <exception cref="StatusException">400: no token of ours; 410: its list is gone.</exception>
    public (IReadOnlyList<JsonObject> Items, string? Continue, int Remaining, long Version) Next(string token, int limit)
    {
        if (token.Split('.') is not [var list, var at] || !Guid.TryParseExact(list, "N", out var id) || !int.TryParse(at, out var start) || start < 0)
        {
            throw Failures.BadRequest("continue key is not valid");
        }

        lock (gate)
        {
            foreach (var known in lists.Where(known => known.Id == id))
            {
                var (items, next, remaining) = Page(id, known.Items, Math.Min(start, known.Items.Count), limit);
                return (items, next, remaining, known.Version);
            }
        }

        throw new StatusException(410, "Expired", "The provided continue parameter is too old to display a consistent list result.");
    }

    private static (IReadOnlyList<JsonObject> Items, string? Continue, int Remaining) Page(Guid id, IReadOnlyList<JsonObject> items, int start, int limit)
    {
        var end = limit <= 0 ? items.Count : (int)Math.Min(items.Count, (long)start + limit);
        return ([.. items.Skip(start).Take(end - start)], end < items.Count ? $"{id:N}.{end}" : null, items.Count - end);
    }
}
