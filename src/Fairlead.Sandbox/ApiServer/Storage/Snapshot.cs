using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Storage;

/// <summary>
/// The form in which the store keeps objects: a copy of its own, read from JSON text once, so that numbers and strings look the same
/// whoever wrote them, and with every lazily built part of <see cref="JsonNode"/> built, so that many threads may read it.
/// </summary>
internal static class Snapshot
{
    public static JsonObject Of(JsonObject value)
    {
        var copy = (JsonObject)JsonText.Parse(JsonSerializer.SerializeToUtf8Bytes(value, JsonText.Context.JsonObject))!;
        Settle(copy);
        return copy;
    }

    private static void Settle(JsonNode? node)
    {
        switch (node)
        {
            case JsonObject map:
                foreach (var (_, child) in map)
                {
                    Settle(child);
                }

                break;
            case JsonArray list:
                foreach (var child in list)
                {
                    Settle(child);
                }

                break;
        }
    }
}
