using System.Globalization;
using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Patching;

/// <summary>JSON Patch (RFC 6902): operations in order, all or none.</summary>
internal static class JsonPatch
{
    /// <summary>As the real API server bounds it.</summary>
    private const int OperationLimit = 10_000;

    /// <returns>A new tree; the arguments stay as they are.</returns>
    /// <exception cref="StatusException">400: no patch; 422: an operation that can't be done.</exception>
    public static JsonNode? Apply(JsonNode target, JsonArray operations)
    {
        if (operations.Count > OperationLimit)
        {
            throw new StatusException(413, "RequestEntityTooLarge", $"the allowed maximum operations in a JSON patch is {OperationLimit}");
        }

        JsonNode? result = target.DeepClone();
        foreach (var operation in operations)
        {
            result = ApplyOne(result, operation as JsonObject ?? throw Failures.BadRequest("a JSON patch is a list of operations"));
        }

        return result;
    }

    private static JsonNode? ApplyOne(JsonNode? document, JsonObject operation)
    {
        var path = Pointer(operation, "path");
        switch (operation.Text("op"))
        {
            case "add":
                return Add(document, path, Value(operation));
            case "remove":
                return Remove(document, path);
            case "replace":
                Get(document, path);
                return path.Length == 0 ? Value(operation) : Add(Remove(document, path), path, Value(operation));
            case "move":
                var from = Pointer(operation, "from");
                if (path.Length > from.Length && path.AsSpan(0, from.Length).SequenceEqual(from))
                {
                    throw Impossible("a value can't be moved into itself");
                }

                var moved = Get(document, from)?.DeepClone();
                return Add(Remove(document, from), path, moved);
            case "copy":
                return Add(document, path, Get(document, Pointer(operation, "from"))?.DeepClone());
            case "test":
                return JsonNode.DeepEquals(Get(document, path), Value(operation))
                    ? document
                    : throw Impossible($"testing value {operation.Text("path")} failed");
            case var other:
                throw Failures.BadRequest($"unknown JSON patch operation \"{other}\"");
        }
    }

    private static JsonNode? Get(JsonNode? document, ReadOnlySpan<string> path)
    {
        foreach (var step in path)
        {
            document = document switch
            {
                JsonObject map when map.TryGetPropertyValue(step, out var child) => child,
                JsonArray list => list[Index(step, list.Count - 1)],
                _ => throw Missing(step),
            };
        }

        return document;
    }

    private static JsonNode? Add(JsonNode? document, string[] path, JsonNode? value)
    {
        if (path.Length == 0)
        {
            return value;
        }

        var last = path[^1];
        switch (Get(document, path.AsSpan(0, path.Length - 1)))
        {
            case JsonObject map:
                map[last] = value;
                break;
            case JsonArray list:
                list.Insert(last == "-" ? list.Count : Index(last, list.Count), value);
                break;
            default:
                throw Missing(last);
        }

        return document;
    }

    private static JsonNode? Remove(JsonNode? document, string[] path)
    {
        if (path.Length == 0)
        {
            return null;
        }

        var last = path[^1];
        switch (Get(document, path.AsSpan(0, path.Length - 1)))
        {
            case JsonObject map when map.Remove(last):
                break;
            case JsonArray list:
                list.RemoveAt(Index(last, list.Count - 1));
                break;
            default:
                throw Missing(last);
        }

        return document;
    }

    private static JsonNode? Value(JsonObject operation) =>
        operation.TryGetPropertyValue("value", out var value) ? value?.DeepClone() : throw Failures.BadRequest("the operation has no value");

    /// <summary>The steps of a JSON pointer (RFC 6901).</summary>
    private static string[] Pointer(JsonObject operation, string member) => operation.Text(member) switch
    {
        null => throw Failures.BadRequest($"the operation has no {member}"),
        "" => [],
        ['/', .. var steps] => [.. steps.Split('/').Select(step => step.Replace("~1", "/").Replace("~0", "~"))],
        var other => throw Failures.BadRequest($"\"{other}\" is no JSON pointer"),
    };

    private static int Index(string step, int highest) =>
        int.TryParse(step, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index <= highest && (step == "0" || step[0] != '0')
            ? index
            : throw Missing(step);

    private static StatusException Missing(string step) => Impossible($"the path has nothing at \"{step}\"");

    private static StatusException Impossible(string why) => new(422, "Invalid", $"the server rejected our request due to an error in our request: {why}");
}
