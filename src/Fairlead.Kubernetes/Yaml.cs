using System.Globalization;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Fairlead.Kubernetes;

/// <summary>
/// YAML as Kubernetes' tools read it: converted to JSON with the scalar rules of YAML 1.1 (<c>0644</c> is octal, <c>yes</c> is true,
/// dates stay text). Anchors and merge keys work; how much an alias may blow a document up is bounded.
/// </summary>
public static class Yaml
{
    /// <summary>Nodes of one document after aliases: a manifest with hundreds of objects has a few ten thousand.</summary>
    private const int MaxNodes = 500_000;

    private const int MaxDepth = 64;

    /// <summary>Every document of the stream that isn't empty; each must be a mapping. JSON is YAML too.</summary>
    /// <exception cref="FormatException">The text is not YAML, or a document is no mapping; the message has the line.</exception>
    public static IReadOnlyList<JsonObject> Parse(string text)
    {
        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(text));
        }
        catch (YamlException e)
        {
            throw Fault(e.Start, e.InnerException?.Message ?? e.Message, e);
        }

        var documents = new List<JsonObject>();
        foreach (var document in stream.Documents)
        {
            var budget = MaxNodes;
            switch (Convert(document.RootNode, depth: 0, ref budget))
            {
                case JsonObject value:
                    documents.Add(value);
                    break;
                case null:
                    break;
                default:
                    throw Fault(document.RootNode.Start, "a document must be a mapping");
            }
        }

        return documents;
    }

    private static JsonNode? Convert(YamlNode node, int depth, ref int budget)
    {
        if (depth > MaxDepth)
        {
            throw Fault(node.Start, $"nested deeper than {MaxDepth}");
        }

        if (--budget < 0)
        {
            throw Fault(node.Start, $"more than {MaxNodes} values");
        }

        switch (node)
        {
            case YamlMappingNode mapping:
                return Convert(mapping, depth, ref budget);
            case YamlSequenceNode sequence:
                var array = new JsonArray();
                foreach (var child in sequence.Children)
                {
                    array.Add(Convert(child, depth + 1, ref budget));
                }

                return array;
            case YamlScalarNode scalar:
                return Convert(scalar);
            default:
                throw Fault(node.Start, $"{node.NodeType} is not understood");
        }
    }

    private static JsonObject Convert(YamlMappingNode mapping, int depth, ref int budget)
    {
        var result = new JsonObject();
        var merged = new List<YamlNode>();
        foreach (var (key, value) in mapping.Children)
        {
            if (key is not YamlScalarNode { Value: { } name } scalar)
            {
                throw Fault(key.Start, "a key must be a plain value");
            }

            if (name == "<<" && scalar.Style == ScalarStyle.Plain)
            {
                merged.AddRange(value is YamlSequenceNode several ? several.Children : [value]);
            }
            else
            {
                result[name] = Convert(value, depth + 1, ref budget);
            }
        }

        // https://yaml.org/type/merge.html: own keys win, then the earlier of several merged mappings.
        foreach (var source in merged)
        {
            if (Convert(source, depth + 1, ref budget) is not JsonObject values)
            {
                throw Fault(source.Start, "only mappings can be merged");
            }

            foreach (var (name, value) in values.ToList())
            {
                if (!result.ContainsKey(name))
                {
                    values.Remove(name);
                    result[name] = value;
                }
            }
        }

        return result;
    }

    private static JsonNode? Convert(YamlScalarNode scalar)
    {
        var text = scalar.Value ?? "";
        if (!scalar.Tag.IsEmpty)
        {
            switch (scalar.Tag.Value)
            {
                case "tag:yaml.org,2002:str" or "!":
                    return JsonValue.Create(text);
                case "tag:yaml.org,2002:binary":
                    return JsonValue.Create(string.Concat(text.Where(c => !char.IsWhiteSpace(c))));
            }
        }

        if (scalar.Style != ScalarStyle.Plain)
        {
            return JsonValue.Create(text);
        }

        switch (text)
        {
            case "" or "~" or "null" or "Null" or "NULL":
                return null;
            case "true" or "True" or "TRUE" or "yes" or "Yes" or "YES" or "on" or "On" or "ON":
                return JsonValue.Create(true);
            case "false" or "False" or "FALSE" or "no" or "No" or "NO" or "off" or "Off" or "OFF":
                return JsonValue.Create(false);
            case ".nan" or ".NaN" or ".NAN" or ".inf" or ".Inf" or ".INF" or "+.inf" or "-.inf" or "-.Inf" or "-.INF":
                throw Fault(scalar.Start, $"{text} has no form in JSON");
        }

        return YamlNumber.TryParse(text, out var number) ? number : JsonValue.Create(text);
    }

    private static FormatException Fault(Mark at, string why, Exception? inner = null) => new($"line {at.Line.ToString(CultureInfo.InvariantCulture)}: {why}", inner);
}
