using System.Globalization;
using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Tables;

/// <summary>
/// The part of JSONPath that printer columns use: <c>.a.b</c>, <c>['a.b']</c>, <c>\.</c> in a name, <c>[0]</c>, <c>[-1]</c>, <c>[*]</c> and
/// <c>[?(@.a=="b")]</c> (https://kubernetes.io/docs/reference/kubectl/jsonpath/). A path that it doesn't know finds nothing.
/// </summary>
internal sealed class JsonPath
{
    private static readonly JsonPath Nothing = new([_ => []]);

    private readonly IReadOnlyList<Func<JsonNode, IEnumerable<JsonNode?>>> steps;

    private JsonPath(IReadOnlyList<Func<JsonNode, IEnumerable<JsonNode?>>> steps) => this.steps = steps;

    public IReadOnlyList<JsonNode> Find(JsonNode root)
    {
        IEnumerable<JsonNode> found = [root];
        foreach (var step in steps)
        {
            found = found.SelectMany(step).OfType<JsonNode>();
        }

        return [.. found];
    }

    public static JsonPath Parse(string text)
    {
        var parsed = new List<Func<JsonNode, IEnumerable<JsonNode?>>>();
        var rest = text.Trim().AsSpan().TrimStart('$');
        if (rest.StartsWith("{") && rest.EndsWith("}"))
        {
            rest = rest[1..^1];
        }

        while (!rest.IsEmpty)
        {
            int length;
            if (rest[0] == '.')
            {
                length = NameEnd(rest);
                if (length > 1)
                {
                    parsed.Add(Child(rest[1..length].ToString().Replace("\\.", ".")));
                }
            }
            else if (rest[0] == '[' && BracketEnd(rest) is > 0 and var end && Bracket(rest[1..end].ToString()) is { } step)
            {
                parsed.Add(step);
                length = end + 1;
            }
            else
            {
                return Nothing;
            }

            rest = rest[length..];
        }

        return new JsonPath(parsed);
    }

    private static int NameEnd(ReadOnlySpan<char> rest)
    {
        var i = 1;
        while (i < rest.Length && rest[i] is not ('.' or '['))
        {
            i += rest[i] == '\\' ? 2 : 1;
        }

        return Math.Min(i, rest.Length);
    }

    private static int BracketEnd(ReadOnlySpan<char> rest)
    {
        var quote = '\0';
        for (var i = 1; i < rest.Length; i++)
        {
            if (quote != '\0')
            {
                quote = rest[i] == quote ? '\0' : quote;
            }
            else if (rest[i] is '\'' or '"')
            {
                quote = rest[i];
            }
            else if (rest[i] == ']')
            {
                return i;
            }
        }

        return -1;
    }

    private static Func<JsonNode, IEnumerable<JsonNode?>>? Bracket(string inside)
    {
        inside = inside.Trim();
        if (inside == "*")
        {
            return static node => node switch { JsonArray list => list, JsonObject map => map.Select(entry => entry.Value), _ => [] };
        }

        if (int.TryParse(inside, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var index))
        {
            return node => node is JsonArray list && (index < 0 ? index + list.Count : index) is var at && at >= 0 && at < list.Count ? [list[at]] : [];
        }

        if (inside.Length >= 2 && inside[0] is '\'' or '"')
        {
            return Child(inside[1..^1]);
        }

        return inside.StartsWith("?(") && inside.EndsWith(')') ? Filter(inside[2..^1]) : null;
    }

    private static Func<JsonNode, IEnumerable<JsonNode?>>? Filter(string condition)
    {
        var negated = condition.Contains("!=");
        var sides = condition.Split(negated ? "!=" : "==", 2, StringSplitOptions.TrimEntries);
        if (sides is not [['@', .. var path], var literal])
        {
            return null;
        }

        var (left, wanted) = (Parse(path), literal.Trim('\'', '"'));
        return node => node is JsonArray list
            ? list.Where(item => item is not null && left.Find(item).Any(value => value.ToString() == wanted) != negated)
            : [];
    }

    private static Func<JsonNode, IEnumerable<JsonNode?>> Child(string name) => node => node.At(name) is { } child ? [child] : [];
}
