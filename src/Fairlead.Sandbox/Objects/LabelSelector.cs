using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;

namespace Fairlead.Sandbox.Objects;

/// <summary>Label selectors of Services (a plain map) and of workloads (matchLabels and matchExpressions).</summary>
internal static class LabelSelector
{
    internal static bool Matches(JsonNode? selector, JsonNode value)
    {
        var labels = value.Pairs("metadata", "labels").ToDictionary(p => p.Key, p => p.Value);
        return selector.Pairs("matchLabels").All(want => labels.TryGetValue(want.Key, out var have) && have == want.Value)
            && selector.Maps("matchExpressions").All(expression => Holds(expression, labels));
    }

    internal static bool MatchesMap(IEnumerable<KeyValuePair<string, string>> selector, JsonNode value)
    {
        var labels = value.At("metadata", "labels");
        return selector.All(want => labels.Text(want.Key) == want.Value);
    }

    private static bool Holds(JsonObject expression, Dictionary<string, string> labels)
    {
        var present = labels.TryGetValue(expression.Text("key") ?? "", out var have);
        var values = expression.Texts("values");
        return expression.Text("operator") switch
        {
            "In" => present && values.Contains(have),
            "NotIn" => !present || !values.Contains(have),
            "Exists" => present,
            "DoesNotExist" => !present,
            _ => false,
        };
    }
}
