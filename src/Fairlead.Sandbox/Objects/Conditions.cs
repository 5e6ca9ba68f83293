using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;

namespace Fairlead.Sandbox.Objects;

/// <summary>The list <c>status.conditions</c>; a transition time moves only when the status does.</summary>
internal static class Conditions
{
    internal static void Set(JsonObject status, string type, bool holds, string? reason, string? message, string now)
    {
        if (status["conditions"] is not JsonArray conditions)
        {
            status["conditions"] = conditions = [];
        }

        var value = holds ? "True" : "False";
        var condition = conditions.OfType<JsonObject>().FirstOrDefault(c => c.Text("type") == type);
        if (condition is null)
        {
            condition = new JsonObject { ["type"] = type };
            conditions.Add(condition);
        }

        if (condition.Text("status") != value)
        {
            condition["status"] = value;
            condition["lastTransitionTime"] = now;
        }

        Put(condition, "reason", reason);
        Put(condition, "message", message);
    }

    internal static bool Holds(JsonNode? node, string type) =>
        node.Maps("status", "conditions").Any(c => c.Text("type") == type && c.Text("status") == "True");

    private static void Put(JsonObject condition, string name, string? value)
    {
        if (value is null)
        {
            condition.Remove(name);
        }
        else
        {
            condition[name] = value;
        }
    }
}
