using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fairlead.Companion.Administration.Values;

/// <summary>How values lie over one another, as in Helm: sections merge, everything else replaces, null takes away what lies below.</summary>
internal static class ValueMerge
{
    /// <summary>Lays values over others in place. Nulls stay, so that they take away from what these are laid over later.</summary>
    public static void Overlay(JsonObject below, JsonObject above)
    {
        foreach (var (key, value) in above)
        {
            if (value is JsonObject inner && below[key] is JsonObject old)
            {
                Overlay(old, inner);
            }
            else
            {
                below[key] = value?.DeepClone();
            }
        }
    }

    /// <summary>The values that count: the defaults with what was set over them.</summary>
    /// <param name="set">Checked against the schema.</param>
    public static GatewayValues Effective(JsonObject set)
    {
        var all = JsonSerializer.SerializeToNode(new GatewayValues(), ValuesJson.Default.GatewayValues)!.AsObject();
        Overlay(all, set);
        RemoveNulls(all);
        return all.Deserialize(ValuesJson.Default.GatewayValues)!;
    }

    private static void RemoveNulls(JsonObject values)
    {
        foreach (var (key, value) in values.ToArray())
        {
            if (value is null)
            {
                values.Remove(key);
            }
            else if (value is JsonObject inner)
            {
                RemoveNulls(inner);
            }
        }
    }
}
