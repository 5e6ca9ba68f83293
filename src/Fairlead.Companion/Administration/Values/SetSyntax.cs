using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fairlead.Contracts.Errors;

namespace Fairlead.Companion.Administration.Values;

/// <summary>
/// The syntax of <c>--set</c>, as Helm documents it (helm.sh/docs/intro/using_helm, "The Format and Limitations of --set"):
/// <c>a.b=1,c={x,y},d[0].e=f,g\.h=i,j=null</c>. A backslash takes the next character for itself.
/// </summary>
/// <param name="text">One argument.</param>
/// <param name="asText">As <c>--set-string</c>: every value is a text.</param>
internal sealed class SetSyntax(string text, bool asText)
{
    /// <summary>Helm's own limits.</summary>
    private const int MaxIndex = 65536;
    private const int MaxDepth = 30;

    private int at;

    /// <summary>Sets what the argument says in <paramref name="values"/>, which may hold values from before.</summary>
    /// <exception cref="FairleadException">The argument is none; the message shows where.</exception>
    public static void Apply(string text, bool asText, JsonObject values) => new SetSyntax(text, asText).ReadAll(values);

    /// <summary>As <c>--set-json</c>: <c>key=JSON</c>, several separated by commas, or one JSON object that is laid over the values.</summary>
    /// <exception cref="FairleadException"/>
    public static void ApplyJson(string text, JsonObject values)
    {
        if (text.TrimStart().StartsWith('{'))
        {
            ValueMerge.Overlay(values, ReadJson(text, text) as JsonObject ?? throw Invalid(text, "it is no JSON object"));
            return;
        }

        new SetSyntax(text, asText: false).ReadAllJson(values);
    }

    private void ReadAll(JsonObject values)
    {
        while (at < text.Length)
        {
            var path = ReadPath();
            var value = ReadValue();
            Put(values, path, value);
        }
    }

    private void ReadAllJson(JsonObject values)
    {
        while (at < text.Length)
        {
            var path = ReadPath();
            var rest = Encoding.UTF8.GetBytes(text[at..]);
            var reader = new Utf8JsonReader(rest, isFinalBlock: true, default);
            JsonNode? value;
            try
            {
                value = JsonNode.Parse(ref reader);
            }
            catch (JsonException e)
            {
                // What follows a value, such as the comma before the next key, is not the reader's business; a value that is broken is.
                throw Invalid(text, $"the value of '{Show(path)}' is no JSON", e);
            }

            at += Encoding.UTF8.GetCharCount(rest.AsSpan(0, (int)reader.BytesConsumed));
            while (at < text.Length && char.IsWhiteSpace(text[at]))
            {
                at++;
            }

            if (at < text.Length && text[at++] != ',')
            {
                throw Invalid(text, $"after the value of '{Show(path)}' there is more, and no comma before it");
            }

            Put(values, path, value);
        }
    }

    /// <summary>Keys (texts) and indexes (numbers) up to and with the equals sign.</summary>
    private List<object> ReadPath()
    {
        var path = new List<object>();
        var key = new StringBuilder();
        var afterIndex = false;
        while (at < text.Length)
        {
            var c = text[at++];
            switch (c)
            {
                case '\\' when at < text.Length:
                    key.Append(text[at++]);
                    continue;
                case '=':
                    AddKey();
                    return path;
                case ',':
                    throw Invalid(text, $"the key '{key}' has no value");
                case '.':
                    AddKey();
                    afterIndex = false;
                    if (at == text.Length || text[at] is '.' or '=')
                    {
                        throw Invalid(text, "there is an empty key after a dot");
                    }

                    continue;
                case '[':
                    AddKey();
                    path.Add(ReadIndex());
                    afterIndex = true;
                    if (at < text.Length && text[at] is not ('.' or '[' or '='))
                    {
                        throw Invalid(text, $"after '{Show(path)}' there is '{text[at]}' where a dot, a bracket or an equals sign has to be");
                    }

                    continue;
                default:
                    key.Append(c);
                    continue;
            }
        }

        throw Invalid(text, $"the key '{Show(path)}{key}' has no value");

        void AddKey()
        {
            if (key.Length > 0)
            {
                path.Add(key.ToString());
                key.Clear();
            }
            else if (!afterIndex)
            {
                throw Invalid(text, "there is an empty key");
            }

            if (path.Count > MaxDepth)
            {
                throw Invalid(text, $"it is nested deeper than {MaxDepth}");
            }
        }
    }

    private int ReadIndex()
    {
        var end = text.IndexOf(']', at);
        if (end < 0 || !int.TryParse(text.AsSpan(at, end - at), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var index))
        {
            throw Invalid(text, "an index is a number in brackets: a[0]");
        }

        at = end + 1;
        return index is >= 0 and <= MaxIndex ? index : throw Invalid(text, $"the index {index} is none of 0 to {MaxIndex}");
    }

    private JsonNode? ReadValue()
    {
        if (at < text.Length && text[at] == '{')
        {
            at++;
            return ReadList();
        }

        var value = ReadText(',');
        at++;
        return Typed(value);
    }

    private JsonArray ReadList()
    {
        var list = new JsonArray();
        if (at < text.Length && text[at] == '}')
        {
            at++;
        }
        else
        {
            do
            {
                list.Add(Typed(ReadText(',', '}')));
                if (at == text.Length)
                {
                    throw Invalid(text, "a list has no closing brace");
                }
            }
            while (text[at++] == ',');
        }

        return at == text.Length || text[at++] == ',' ? list : throw Invalid(text, "after a list there is more, and no comma before it");
    }

    /// <summary>Up to one of the ends, which is not taken, or the end.</summary>
    private string ReadText(params ReadOnlySpan<char> ends)
    {
        var value = new StringBuilder();
        while (at < text.Length && !ends.Contains(text[at]))
        {
            if (text[at] == '\\' && at + 1 < text.Length)
            {
                at++;
            }

            value.Append(text[at++]);
        }

        return value.ToString();
    }

    /// <summary>Helm's guess: true, false, null and whole numbers are that, numbers with a leading zero and everything else are texts.</summary>
    private JsonValue? Typed(string value) => value switch
    {
        _ when asText => JsonValue.Create(value),
        "true" => JsonValue.Create(true),
        "false" => JsonValue.Create(false),
        "null" => null,
        "0" => JsonValue.Create(0L),
        [not '0', ..] when long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) => JsonValue.Create(number),
        _ => JsonValue.Create(value),
    };

    private void Put(JsonObject values, List<object> path, JsonNode? value)
    {
        JsonNode into = values;
        for (var i = 0; i < path.Count - 1; i++)
        {
            into = Step(into, path, i, path[i + 1] is int);
        }

        switch (into, path[^1])
        {
            case (JsonObject section, string key):
                section[key] = value;
                break;
            case (JsonArray list, int index):
                Grow(list, index);
                list[index] = value;
                break;
            default:
                throw Mismatch(path);
        }
    }

    /// <summary>One step down, making what is missing or was something else before.</summary>
    private JsonNode Step(JsonNode from, List<object> path, int i, bool toList)
    {
        switch (from, path[i])
        {
            case (JsonObject section, string key):
                if (section[key] is var below && (toList ? below is JsonArray : below is JsonObject))
                {
                    return below!;
                }

                return section[key] is null or JsonValue ? section[key] = toList ? new JsonArray() : new JsonObject() : throw Mismatch(path);
            case (JsonArray list, int index):
                Grow(list, index);
                if (list[index] is var entry && (toList ? entry is JsonArray : entry is JsonObject))
                {
                    return entry!;
                }

                return list[index] is null or JsonValue ? list[index] = toList ? new JsonArray() : new JsonObject() : throw Mismatch(path);
            default:
                throw Mismatch(path);
        }
    }

    private static void Grow(JsonArray list, int index)
    {
        while (list.Count <= index)
        {
            list.Add((JsonNode?)null);
        }
    }

    private FairleadException Mismatch(List<object> path) => Invalid(text, $"'{Show(path)}' takes for a list what is none, or the other way round");

    private static JsonNode? ReadJson(string json, string whole)
    {
        try
        {
            return JsonNode.Parse(json);
        }
        catch (JsonException e)
        {
            throw Invalid(whole, "it is no JSON", e);
        }
    }

    private static string Show(IEnumerable<object> path) => path.Aggregate("", (text, step) => step is int ? $"{text}[{step}]" : text.Length == 0 ? (string)step : $"{text}.{step}");

    private static FairleadException Invalid(string text, string why, Exception? inner = null) => new(
        ErrorCategory.Usage, "set-invalid", $"'{(text.Length > 200 ? text[..200] + "…" : text)}' sets nothing", why, @"For example --set replicas=3,namespaces={shop,dev}; a comma in a value is written '\,'.", inner);
}
