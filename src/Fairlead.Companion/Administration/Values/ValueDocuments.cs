using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Fairlead.Companion.Administration.Values;

/// <summary>The chart's values.yaml and values.schema.json, and the table of docs/install.md, made from <see cref="GatewayValues"/>.</summary>
internal static partial class ValueDocuments
{
    private const int Width = 140;
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonSerializerOptions OneLine = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Every value with its default, and what it is for as a comment.</summary>
    public static string Yaml()
    {
        var text = new StringBuilder("# What can be chosen about a gateway: helm install -f, or fairlead gateway install --values.\n# Made from src/Fairlead.Companion/Administration/Values/GatewayValues.cs; a test compares the two.\n");
        WriteSection(text, ValueSchema.Root, Defaults(), "");
        return text.ToString();
    }

    /// <summary>JSON Schema, draft 7, as Helm checks it.</summary>
    public static string Schema()
    {
        var schema = new JsonObject { ["$schema"] = "http://json-schema.org/draft-07/schema#" };
        foreach (var (key, value) in SchemaOf(ValueSchema.Root).ToArray())
        {
            schema[key] = value?.DeepClone();
        }

        // Helm lays these over every chart's values.
        schema["properties"]!["global"] = new JsonObject { ["type"] = "object" };
        return schema.ToJsonString(Indented) + "\n";
    }

    /// <summary>Markdown rows: value, default, meaning.</summary>
    public static string Table() => string.Concat(Rows(ValueSchema.Root, Defaults(), ""));

    private static JsonObject Defaults() => JsonSerializer.SerializeToNode(new GatewayValues(), ValuesJson.Default.GatewayValues)!.AsObject();

    private static IEnumerable<string> Rows(SectionNode section, JsonObject defaults, string prefix) => section.Values.SelectMany(v => v.Value is SectionNode inner
        ? Rows(inner, defaults[v.Key]!.AsObject(), $"{prefix}{v.Key}.")
        : [$"| `{prefix}{v.Key}` | `{defaults[v.Key]!.ToJsonString(OneLine)}` | {v.Value.Description}{Choices(v.Value)} |\n"]);

    private static string Choices(ValueNode node) => node switch
    {
        TextNode { Allowed.Count: > 0 } text => " One of " + string.Join(", ", text.Allowed.Where(a => a.Length > 0).Select(a => $"`{a}`")) + ".",
        NumberNode number => $" {number.Min} to {number.Max}.",
        _ => "",
    };

    private static void WriteSection(StringBuilder text, SectionNode section, JsonObject values, string indent)
    {
        foreach (var (key, node) in section.Values)
        {
            if (indent.Length == 0)
            {
                text.Append('\n');
            }

            foreach (var line in Wrap(node.Description + Choices(node).Replace("`", "", StringComparison.Ordinal), Width - indent.Length - 2))
            {
                text.Append(indent).Append("# ").Append(line).Append('\n');
            }

            text.Append(indent).Append(key).Append(':');
            if (node is SectionNode inner)
            {
                text.Append('\n');
                WriteSection(text, inner, values[key]!.AsObject(), indent + "  ");
            }
            else
            {
                WriteValue(text, values[key]!, indent + "  ");
            }
        }
    }

    private static void WriteValue(StringBuilder text, JsonNode value, string indent)
    {
        if (value is JsonObject { Count: > 0 } map)
        {
            text.Append('\n');
            foreach (var (key, inner) in map)
            {
                text.Append(indent).Append(key).Append(':');
                WriteValue(text, inner!, indent + "  ");
            }
        }
        else
        {
            var json = value.ToJsonString(OneLine);
            text.Append(' ').Append(value.GetValueKind() == JsonValueKind.String && Plain().IsMatch(value.GetValue<string>()) ? value.GetValue<string>() : json).Append('\n');
        }
    }

    private static IEnumerable<string> Wrap(string text, int width)
    {
        while (text.Length > width)
        {
            var at = text.LastIndexOf(' ', width);
            yield return text[..at];
            text = text[(at + 1)..];
        }

        yield return text;
    }

    private static JsonObject SchemaOf(ValueNode node)
    {
        var schema = new JsonObject { ["description"] = node.Description };
        switch (node)
        {
            case SectionNode section:
                schema["type"] = "object";
                schema["additionalProperties"] = false;
                schema["properties"] = new JsonObject(section.Values.Select(v => KeyValuePair.Create<string, JsonNode?>(v.Key, SchemaOf(v.Value))));
                break;
            case ListNode list:
                schema["type"] = "array";
                var entry = SchemaOf(list.Entry);
                entry.Remove("description");
                schema["items"] = entry;
                break;
            case MapNode:
                schema["type"] = "object";
                schema["additionalProperties"] = new JsonObject { ["type"] = "string" };
                break;
            case ObjectNode:
                schema["type"] = "object";
                break;
            case TextNode text:
                schema["type"] = "string";
                if (text.Allowed.Count > 0)
                {
                    schema["enum"] = new JsonArray([.. text.Allowed.Select(a => (JsonNode)a)]);
                }
                else if (ValueForms.Of(text.Form) is { } rule)
                {
                    schema["pattern"] = text.Optional ? $"^$|{rule.Pattern}" : rule.Pattern;
                }

                break;
            case NumberNode number:
                schema["type"] = "integer";
                schema["minimum"] = number.Min;
                schema["maximum"] = number.Max;
                break;
            case FlagNode:
                schema["type"] = "boolean";
                break;
        }

        return schema;
    }

    /// <summary>What YAML takes for nothing but a text.</summary>
    [GeneratedRegex("^(?!(true|false|null|yes|no|on|off)$)[A-Za-z][A-Za-z0-9/._-]*$", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Plain();
}
