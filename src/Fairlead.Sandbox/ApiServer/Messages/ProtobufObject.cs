using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Messages;

/// <summary>
/// Objects in Kubernetes' protobuf form (https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding), which typed
/// clients since 1.32 send by default. Answers are JSON, which such clients take too.
/// </summary>
internal static class ProtobufObject
{
    public const string MediaType = "application/vnd.kubernetes.protobuf";

    /// <summary>As deep as the deepest of the API's own messages could go, with room.</summary>
    private const int DepthLimit = 32;

    private static ReadOnlySpan<byte> Magic => "k8s\0"u8;

    /// <exception cref="StatusException">400: not such an object, or one with a field that the sandbox doesn't know.</exception>
    public static JsonObject Decode(ReadOnlySpan<byte> body)
    {
        if (!body.StartsWith(Magic))
        {
            throw ProtobufReader.Malformed();
        }

        var envelope = new ProtobufReader(body[Magic.Length..]);
        var (apiVersion, kind) = ("", "");
        ReadOnlySpan<byte> raw = default;
        while (envelope.Next())
        {
            if (envelope.Number == 1)
            {
                (apiVersion, kind) = Pair(envelope.Bytes);
            }
            else if (envelope.Number == 2)
            {
                raw = envelope.Bytes;
            }
        }

        var result = new JsonObject { ["apiVersion"] = apiVersion, ["kind"] = kind };
        Fill(result, kind, raw, DepthLimit);
        return result;
    }

    private static void Fill(JsonObject target, string message, ReadOnlySpan<byte> data, int depth)
    {
        var fields = MessageTable.ByNumber(message);
        if (fields is null || depth == 0)
        {
            throw Failures.BadRequest($"the sandbox doesn't know the protobuf message {message}; JSON works");
        }

        var reader = new ProtobufReader(data);
        while (reader.Next())
        {
            if (!fields.TryGetValue(reader.Number, out var field))
            {
                throw Failures.BadRequest($"the sandbox doesn't know field {reader.Number} of the protobuf message {message}; JSON works");
            }

            Add(target, field, ref reader, depth);
        }
    }

    private static void Add(JsonObject target, MessageField field, ref ProtobufReader reader, int depth)
    {
        if (field.Name.Length == 0)
        {
            Fill(target, field.Type, reader.Bytes, depth - 1);
        }
        else if (field.IsMap)
        {
            var entry = new ProtobufReader(reader.Bytes);
            var (key, value) = ("", Zero(field.Type));
            while (entry.Next())
            {
                if (entry.Number == 1)
                {
                    key = Text(entry.Bytes);
                }
                else
                {
                    value = Value(field.Type, ref entry, depth);
                }
            }

            target.Ensure(field.Name)[key] = value;
        }
        else if (field.IsList)
        {
            target.Default(field.Name, new JsonArray());
            target[field.Name]!.AsArray().Add(Value(field.Type, ref reader, depth));
        }
        else if (Value(field.Type, ref reader, depth) is { } value && (field.IsPointer || !IsZero(value)))
        {
            target[field.Name] = value;
        }
    }

    private static JsonNode? Value(string type, ref ProtobufReader reader, int depth)
    {
        switch (type)
        {
            case "string":
                return Text(reader.Bytes);
            case "bool":
                return reader.Value != 0;
            case "int":
                return unchecked((long)reader.Value);
            case "double":
                return BitConverter.UInt64BitsToDouble(reader.Value);
            case "bytes":
                return Convert.ToBase64String(reader.Bytes);
            case "Time" or "MicroTime":
                return Time(reader.Bytes, type == "MicroTime");
            case "Quantity":
                return Pair(reader.Bytes).First;
            case "IntOrString":
                return IntOrString(reader.Bytes);
            case "FieldsV1" or "RawExtension":
                return Embedded(reader.Bytes);
            case "ExtraValue":
                return Texts(reader.Bytes);
            default:
                var message = new JsonObject();
                Fill(message, type, reader.Bytes, depth - 1);
                return message;
        }
    }

    private static JsonNode? Zero(string type) => type switch
    {
        "string" or "bytes" or "Quantity" => "",
        "ExtraValue" => new JsonArray(),
        _ => new JsonObject(),
    };

    private static bool IsZero(JsonNode value) => value switch
    {
        JsonObject map => map.Count == 0,
        JsonArray list => list.Count == 0,
        _ => value.ToJsonString() is "\"\"" or "0" or "false",
    };

    /// <summary>A message of two strings.</summary>
    private static (string First, string Second) Pair(ReadOnlySpan<byte> data)
    {
        var (first, second) = ("", "");
        var reader = new ProtobufReader(data);
        while (reader.Next())
        {
            (first, second) = reader.Number switch { 1 => (Text(reader.Bytes), second), 2 => (first, Text(reader.Bytes)), _ => (first, second) };
        }

        return (first, second);
    }

    private static JsonArray Texts(ReadOnlySpan<byte> data)
    {
        var result = new JsonArray();
        var reader = new ProtobufReader(data);
        while (reader.Next())
        {
            result.Add((JsonNode)Text(reader.Bytes));
        }

        return result;
    }

    private static JsonValue? Time(ReadOnlySpan<byte> data, bool isMicro)
    {
        var (seconds, nanoseconds) = (0L, 0L);
        var reader = new ProtobufReader(data);
        while (reader.Next())
        {
            (seconds, nanoseconds) = reader.Number == 1 ? ((long)reader.Value, nanoseconds) : (seconds, (long)reader.Value);
        }

        if (seconds is <= 0 or > 253_402_300_799 || nanoseconds is < 0 or > 999_999_999)
        {
            return null; // Go's zero time, which means none.
        }

        var time = DateTimeOffset.FromUnixTimeSeconds(seconds).AddTicks(nanoseconds / 100);
        return JsonValue.Create(isMicro ? time.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture) : time.ToTimestamp());
    }

    private static JsonNode IntOrString(ReadOnlySpan<byte> data)
    {
        var (type, number, text) = (0UL, 0L, "");
        var reader = new ProtobufReader(data);
        while (reader.Next())
        {
            switch (reader.Number)
            {
                case 1:
                    type = reader.Value;
                    break;
                case 2:
                    number = unchecked((int)reader.Value);
                    break;
                default:
                    text = Text(reader.Bytes);
                    break;
            }
        }

        return type == 0 ? number : text;
    }

    private static JsonNode? Embedded(ReadOnlySpan<byte> data)
    {
        var reader = new ProtobufReader(data);
        return reader.Next() && reader.Number == 1 && reader.IsLengthDelimited ? JsonText.Parse(reader.Bytes) : null;
    }

    private static string Text(ReadOnlySpan<byte> data) => Encoding.UTF8.GetString(data);
}
