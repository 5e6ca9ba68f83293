using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Fairlead.Sandbox.ApiServer.Admission;

namespace Fairlead.Sandbox.ApiServer.CustomResources;

/// <summary>
/// Checks an object against an OpenAPI v3 schema as custom resources have it. CEL rules (<c>x-kubernetes-validations</c>) aren't evaluated.
/// </summary>
internal static class SchemaValidation
{
    private static readonly RegexOptions PatternOptions = RegexOptions.NonBacktracking | RegexOptions.CultureInvariant;

    public static void Check(JsonObject schema, JsonObject value, FieldErrors errors)
    {
        foreach (var (name, field) in value)
        {
            if (name is not ("apiVersion" or "kind" or "metadata") && schema.Map("properties", name) is { } property)
            {
                Node(property, field, name, errors);
            }
        }

        Required(schema, value, "", errors);
    }

    private static void Node(JsonObject schema, JsonNode? value, string path, FieldErrors errors)
    {
        if (value is null)
        {
            if (schema.Flag("nullable") != true && schema.Text("type") is { } expected)
            {
                errors.TypeInvalid(path, "null", $"{path} in body must be of type {expected}: \"null\"");
            }

            return;
        }

        if (!HasType(schema, value))
        {
            var actual = TypeOf(value);
            errors.TypeInvalid(path, actual, $"{path} in body must be of type {ExpectedType(schema)}: \"{actual}\"");
            return;
        }

        if (schema["enum"] is JsonArray allowed && !allowed.Any(item => JsonNode.DeepEquals(item, value)))
        {
            errors.Unsupported(path, value, allowed.Select(item => item?.ToString() ?? "null"));
        }

        switch (value)
        {
            case JsonObject map:
                Map(schema, map, path, errors);
                break;
            case JsonArray list:
                List(schema, list, path, errors);
                break;
            case JsonValue scalar when scalar.Text() is { } text:
                Text(schema, text, path, errors);
                break;
            case JsonValue scalar when scalar.GetValueKind() == JsonValueKind.Number:
                Number(schema, scalar, path, errors);
                break;
        }

        Combinations(schema, value, path, errors);
    }

    private static void Map(JsonObject schema, JsonObject value, string path, FieldErrors errors)
    {
        Required(schema, value, path, errors);
        Size(value.Count, schema, "minProperties", "maxProperties", "properties", path, value, errors);
        foreach (var (name, field) in value)
        {
            if ((schema.Map("properties", name) ?? schema.Map("additionalProperties")) is { } property)
            {
                Node(property, field, $"{path}.{name}", errors);
            }
        }
    }

    private static void Required(JsonObject schema, JsonObject value, string path, FieldErrors errors)
    {
        foreach (var name in schema.Texts("required").Where(name => !value.ContainsKey(name)))
        {
            errors.Required(path.Length == 0 ? name : $"{path}.{name}");
        }
    }

    private static void List(JsonObject schema, JsonArray value, string path, FieldErrors errors)
    {
        Size(value.Count, schema, "minItems", "maxItems", "items", path, value.Count, errors);
        for (var i = 0; i < value.Count; i++)
        {
            if (schema.Map("items") is { } items)
            {
                Node(items, value[i], $"{path}[{i}]", errors);
            }
        }

        var keys = schema.Texts("x-kubernetes-list-map-keys").ToArray();
        var identities = schema.Text("x-kubernetes-list-type") switch
        {
            "set" => value.Select(item => item?.ToJsonString() ?? "null"),
            "map" => value.Select(item => string.Join('\0', keys.Select(key => item.At(key)?.ToJsonString()))),
            _ => [],
        };
        var seen = new HashSet<string>();
        foreach (var (identity, index) in identities.Select((identity, index) => (identity, index)))
        {
            if (!seen.Add(identity))
            {
                errors.Duplicate($"{path}[{index}]", value[index]);
            }
        }
    }

    private static void Text(JsonObject schema, string value, string path, FieldErrors errors)
    {
        var length = new StringInfo(value).LengthInTextElements;
        if (schema.Number("maxLength") is { } longest && length > longest)
        {
            errors.TooLong(path, (int)longest);
        }

        if (schema.Number("minLength") is { } shortest && length < shortest)
        {
            errors.Invalid(path, value, $"{path} in body should be at least {shortest} chars long");
        }

        if (schema.Text("pattern") is { } pattern && !Regex.IsMatch(value, pattern, PatternOptions))
        {
            errors.Invalid(path, value, $"{path} in body should match '{pattern}'");
        }

        if (schema.Text("format") is { } format && !HasFormat(value, format))
        {
            errors.Invalid(path, value, $"{path} in body must be of type {format}: \"{value}\"");
        }
    }

    private static void Number(JsonObject schema, JsonValue value, string path, FieldErrors errors)
    {
        var number = Decimal(value);
        if (schema["minimum"] is JsonValue low && (number < Decimal(low) || (schema.Flag("exclusiveMinimum") == true && number == Decimal(low))))
        {
            errors.Invalid(path, value, $"{path} in body should be greater than {(schema.Flag("exclusiveMinimum") == true ? "" : "or equal to ")}{low}");
        }

        if (schema["maximum"] is JsonValue high && (number > Decimal(high) || (schema.Flag("exclusiveMaximum") == true && number == Decimal(high))))
        {
            errors.Invalid(path, value, $"{path} in body should be less than {(schema.Flag("exclusiveMaximum") == true ? "" : "or equal to ")}{high}");
        }

        if (schema["multipleOf"] is JsonValue step && Math.Abs(Math.IEEERemainder(number, Decimal(step))) > 1e-9)
        {
            errors.Invalid(path, value, $"{path} in body should be a multiple of {step}");
        }
    }

    private static void Combinations(JsonObject schema, JsonNode value, string path, FieldErrors errors)
    {
        foreach (var part in schema.Maps("allOf"))
        {
            Node(part, value, path, errors);
        }

        var any = schema.Maps("anyOf").ToArray();
        if (any.Length > 0 && !any.Any(part => Fits(part, value, path)))
        {
            errors.Invalid(path, value, $"{path} in body must validate at least one schema (anyOf)");
        }

        var one = schema.Maps("oneOf").ToArray();
        if (one.Length > 0 && one.Count(part => Fits(part, value, path)) != 1)
        {
            errors.Invalid(path, value, $"{path} in body must validate one and only one schema (oneOf)");
        }

        if (schema.Map("not") is { } not && Fits(not, value, path))
        {
            errors.Invalid(path, value, $"{path} in body must not validate the schema (not)");
        }
    }

    private static bool Fits(JsonObject schema, JsonNode value, string path)
    {
        var errors = new FieldErrors();
        Node(schema, value, path, errors);
        return !errors.Any;
    }

    private static void Size(long size, JsonObject schema, string least, string most, string what, string path, JsonNode value, FieldErrors errors)
    {
        if (schema.Number(least) is { } low && size < low)
        {
            errors.Invalid(path, value, $"{path} in body should have at least {low} {what}");
        }

        if (schema.Number(most) is { } high && size > high)
        {
            errors.Invalid(path, value, $"{path} in body should have at most {high} {what}");
        }
    }

    private static bool HasType(JsonObject schema, JsonNode value)
    {
        var actual = TypeOf(value);
        if (schema.Flag("x-kubernetes-int-or-string") == true)
        {
            return actual is "integer" or "string";
        }

        return schema.Text("type") is not { } type || type == actual || (type == "number" && actual == "integer");
    }

    private static string ExpectedType(JsonObject schema) =>
        schema.Flag("x-kubernetes-int-or-string") == true ? "integer or string" : schema.Text("type") ?? "";

    private static string TypeOf(JsonNode value) => value.GetValueKind() switch
    {
        JsonValueKind.Object => "object",
        JsonValueKind.Array => "array",
        JsonValueKind.String => "string",
        JsonValueKind.True or JsonValueKind.False => "boolean",
        _ => double.IsInteger(Decimal((JsonValue)value)) ? "integer" : "number",
    };

    private static double Decimal(JsonValue value) => double.Parse(value.ToJsonString(), CultureInfo.InvariantCulture);

    private static bool HasFormat(string value, string format) => format switch
    {
        "date-time" => DateTimeOffset.TryParse(value, CultureInfo.InvariantCulture, out _),
        "date" => DateOnly.TryParseExact(value, "yyyy-MM-dd", out _),
        "ipv4" => IPAddress.TryParse(value, out var address) && address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork,
        "ipv6" => IPAddress.TryParse(value, out var address) && address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6,
        "cidr" => IPNetwork.TryParse(value, out _),
        "uuid" => Guid.TryParseExact(value, "D", out _),
        "uri" => Uri.TryCreate(value, UriKind.Absolute, out _),
        "byte" => System.Buffers.Text.Base64.IsValid(value),
        _ => true, // Formats that Kubernetes doesn't know are no constraint either.
    };
}
