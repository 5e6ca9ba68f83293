using System.Collections;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Text;

namespace Fairlead.Companion.Administration.Values;

/// <summary>What one value may be, as <see cref="GatewayValues"/> says.</summary>
internal abstract record ValueNode(string Description);

internal sealed record SectionNode(string Description, IReadOnlyDictionary<string, ValueNode> Values) : ValueNode(Description);

internal sealed record ListNode(string Description, ValueNode Entry) : ValueNode(Description);

/// <summary>Texts by any name.</summary>
internal sealed record MapNode(string Description) : ValueNode(Description);

/// <summary>An object of the Kubernetes API, which judges it.</summary>
internal sealed record ObjectNode(string Description) : ValueNode(Description);

internal sealed record TextNode(string Description, ValueForm Form, IReadOnlyList<string> Allowed, bool Optional) : ValueNode(Description);

internal sealed record NumberNode(string Description, int Min, int Max) : ValueNode(Description);

internal sealed record FlagNode(string Description) : ValueNode(Description);

/// <summary>The schema of <see cref="GatewayValues"/>, and the check of values that people give against it.</summary>
internal static class ValueSchema
{
    /// <summary>Nobody writes more by hand; a file of garbage is refused before it is looked through.</summary>
    private const int MaxEntries = 1024;

    public static SectionNode Root { get; } = Section(typeof(GatewayValues), "");

    /// <exception cref="FairleadException">A key that there is none of, or a value that makes no sense; both are named.</exception>
    public static void Check(JsonObject values) => Check(Root, values, "");

    /// <summary>Every path that has a value of its own, such as <c>image.tag</c>.</summary>
    public static IEnumerable<string> Paths() => Paths(Root, "");

    private static IEnumerable<string> Paths(SectionNode section, string prefix) =>
        section.Values.SelectMany(v => v.Value is SectionNode inner ? Paths(inner, $"{prefix}{v.Key}.") : [prefix + v.Key]);

    private static SectionNode Section(Type type, string description) => new(
        description,
        type.GetProperties().ToDictionary(p => JsonNamingPolicy.CamelCase.ConvertName(p.Name), p => Node(p.PropertyType, p.GetCustomAttribute<ValueAttribute>()!)));

    private static ValueNode Node(Type type, ValueAttribute value)
    {
        return type switch
        {
            _ when type == typeof(string) => new TextNode(value.Description, value.Form, value.Allowed, value.Optional),
            _ when type == typeof(int) => new NumberNode(value.Description, value.Min, value.Max),
            _ when type == typeof(bool) => new FlagNode(value.Description),
            _ when type == typeof(JsonObject) => new ObjectNode(value.Description),
            _ when type == typeof(Dictionary<string, string>) => new MapNode(value.Description),
            _ when typeof(IEnumerable).IsAssignableFrom(type) => new ListNode(value.Description, Node(type.GetGenericArguments()[0], value)),
            _ => Section(type, value.Description),
        };
    }

    private static void Check(ValueNode node, JsonNode? value, string path)
    {
        // Null takes a value back to its default.
        if (value is null)
        {
            return;
        }

        switch (node)
        {
            case SectionNode section:
                foreach (var (key, inner) in Expect<JsonObject>(value, path, "has values of its own"))
                {
                    Check(section.Values.GetValueOrDefault(key) ?? throw Unknown(section, path, key), inner, path.Length == 0 ? key : $"{path}.{key}");
                }

                break;
            case ListNode list:
                var entries = Expect<JsonArray>(value, path, "is a list: {a,b}");
                for (var i = 0; i < entries.Count; i++)
                {
                    if (i >= MaxEntries || entries[i] is null)
                    {
                        throw Wrong($"{path}[{i}]", i >= MaxEntries ? $"a list has up to {MaxEntries} entries" : "it has no value");
                    }

                    Check(list.Entry, entries[i], $"{path}[{i}]");
                }

                break;
            case MapNode:
                foreach (var (key, inner) in Expect<JsonObject>(value, path, "holds texts by name"))
                {
                    if (inner is not null)
                    {
                        ExpectText(inner, $"{path}.{key.Replace(".", @"\.", StringComparison.Ordinal)}");
                    }
                }

                break;
            case ObjectNode:
                Expect<JsonObject>(value, path, "is an object");
                break;
            case TextNode text:
                CheckText(text, ExpectText(value, path), path);
                break;
            case NumberNode number:
                if (value.GetValueKind() != JsonValueKind.Number || !value.AsValue().TryGetValue(out long n) || n < number.Min || n > number.Max)
                {
                    throw Wrong(path, $"'{value}' is not a whole number of {number.Min} to {number.Max}");
                }

                break;
            case FlagNode:
                if (value.GetValueKind() is not (JsonValueKind.True or JsonValueKind.False))
                {
                    throw Wrong(path, $"'{value}' is neither true nor false");
                }

                break;
        }
    }

    private static void CheckText(TextNode node, string text, string path)
    {
        if (node.Allowed.Count > 0)
        {
            if (!node.Allowed.Contains(text))
            {
                throw Wrong(path, $"'{text}' is not one of {string.Join(", ", node.Allowed.Select(a => $"'{a}'"))}");
            }
        }
        else if (!(node.Optional && text.Length == 0) && !ValueForms.Fits(node.Form, text))
        {
            throw Wrong(path, $"'{text}' is not {ValueForms.Of(node.Form)!.What}");
        }
    }

    private static T Expect<T>(JsonNode value, string path, string what)
        where T : JsonNode => value as T ?? throw Wrong(path.Length == 0 ? "the values" : path, $"it {what}, and '{value.ToJsonString()}' does not fit");

    private static string ExpectText(JsonNode value, string path) => value.GetValueKind() == JsonValueKind.String
        ? value.GetValue<string>()
        : throw new FairleadException(
            ErrorCategory.Usage, "value-invalid", $"{path} can't be set so", $"it is a text, and {value.ToJsonString()} is not",
            value is JsonValue ? $"For a text that looks like something else: --set-string {path}={value.ToJsonString()}" : "See docs/install.md for the values.");

    private static FairleadException Wrong(string path, string why) =>
        new(ErrorCategory.Usage, "value-invalid", $"{path} can't be set so", why, "See docs/install.md for the values.");

    private static FairleadException Unknown(SectionNode section, string path, string key)
    {
        var full = path.Length == 0 ? key : $"{path}.{key}";

        // A slip of the pen among its neighbours, the right word in the wrong place, or else what is nearest of all.
        var nearest = Spelling.Closest(key, section.Values.Keys) is { } close ? (path.Length == 0 ? close : $"{path}.{close}")
            : Paths().FirstOrDefault(p => p.EndsWith("." + key, StringComparison.OrdinalIgnoreCase))
            ?? Paths().MinBy(p => Spelling.Distance(full, p))!;
        return new FairleadException(ErrorCategory.Usage, "value-unknown", $"There is no value '{full}'", $"the nearest is '{nearest}'", "See docs/install.md for the values.");
    }
}
