using System.Buffers.Text;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Messages;

/// <summary>
/// Reads JSON as a server with typed objects does: a field that its type doesn't have is dropped (and named), null means absent, and a
/// value of another type is an error.
/// </summary>
internal sealed class MessageDecoding
{
    private readonly List<string> unknown = [];

    private MessageDecoding()
    {
    }

    /// <param name="message">The type: a built-in kind, or <c>ObjectMeta</c>.</param>
    /// <param name="value">Modified: it loses what the type doesn't have.</param>
    /// <param name="path">Where the value stands; empty for a whole object.</param>
    /// <returns>The paths of the fields that went.</returns>
    /// <exception cref="StatusException">400: a value of another type.</exception>
    public static IReadOnlyList<string> Apply(string message, JsonObject value, string path = "")
    {
        var decoding = new MessageDecoding();
        decoding.Object(message, value, path);
        return decoding.unknown;
    }

    private void Object(string message, JsonObject value, string path)
    {
        if (MessageTable.ByName(message) is not { } fields)
        {
            return; // CustomResourceDefinition is validated by hand; Ingress and NetworkPolicy are stored as they come, since nothing here acts on them.
        }

        foreach (var (name, child) in value.ToArray())
        {
            var at = path.Length == 0 ? name : $"{path}.{name}";
            if (name is "apiVersion" or "kind" && fields.ContainsKey("metadata"))
            {
                continue;
            }

            if (!fields.TryGetValue(name, out var field))
            {
                value.Remove(name);
                unknown.Add(at);
            }
            else if (child is null)
            {
                value.Remove(name);
            }
            else
            {
                Field(field, child, at);
            }
        }
    }

    private void Field(MessageField field, JsonNode value, string path)
    {
        if (field.IsList)
        {
            var list = value as JsonArray ?? throw Mismatch(path, "array", value);
            for (var i = 0; i < list.Count; i++)
            {
                Value(field.Type, list[i], $"{path}[{i}]");
            }
        }
        else if (field.IsMap)
        {
            foreach (var (key, entry) in value as JsonObject ?? throw Mismatch(path, "object", value))
            {
                Value(field.Type, entry, $"{path}.{key}");
            }
        }
        else
        {
            Value(field.Type, value, path);
        }
    }

    private void Value(string type, JsonNode? value, string path)
    {
        var kind = value?.GetValueKind() ?? JsonValueKind.Null;
        var fits = type switch
        {
            "string" => kind == JsonValueKind.String,
            "bool" => kind is JsonValueKind.True or JsonValueKind.False,
            "int" => value.Number() is not null,
            "double" => kind == JsonValueKind.Number,
            "bytes" => value.Text() is { } text && Base64.IsValid(text),
            "IntOrString" => kind == JsonValueKind.String || value.Number() is not null,
            "Quantity" => kind is JsonValueKind.String or JsonValueKind.Number,
            "Time" or "MicroTime" => kind == JsonValueKind.Null
                || DateTimeOffset.TryParse(value.Text(), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out _),
            "FieldsV1" or "RawExtension" => kind is JsonValueKind.Object or JsonValueKind.Null,
            "ExtraValue" => kind == JsonValueKind.Array,
            _ => kind == JsonValueKind.Object,
        };
        if (!fits)
        {
            throw Mismatch(path, type, value);
        }

        if (value is JsonObject map)
        {
            Object(type, map, path);
        }
    }

    private static StatusException Mismatch(string path, string type, JsonNode? value)
    {
        var actual = value?.GetValueKind() switch { null => "null", JsonValueKind.True or JsonValueKind.False => "bool", var kind => $"{kind}".ToLowerInvariant() };
        return Failures.BadRequest($"json: cannot unmarshal {actual} into field {path} of type {type}");
    }
}
