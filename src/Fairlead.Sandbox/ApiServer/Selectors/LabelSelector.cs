using System.Globalization;
using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Selectors;

internal enum SelectorOperator
{
    In,
    NotIn,
    Exists,
    DoesNotExist,
    GreaterThan,
    LessThan,
}

internal sealed record LabelRequirement(string Key, SelectorOperator Operator, IReadOnlyList<string> Values)
{
    public bool Matches(JsonObject? labels)
    {
        var value = labels.Text(Key);
        return Operator switch
        {
            SelectorOperator.In => value is not null && Values.Contains(value),
            SelectorOperator.NotIn => value is null || !Values.Contains(value),
            SelectorOperator.Exists => value is not null,
            SelectorOperator.DoesNotExist => value is null,
            SelectorOperator.GreaterThan => Compare(value) > 0,
            _ => Compare(value) < 0,
        };
    }

    private int? Compare(string? value) =>
        long.TryParse(value, CultureInfo.InvariantCulture, out var left) && long.TryParse(Values[0], CultureInfo.InvariantCulture, out var right)
            ? left.CompareTo(right)
            : null;
}

/// <summary>A label selector, from a query parameter (<c>a=b,c in (d,e),!f</c>) or from an object (<c>matchLabels</c>, <c>matchExpressions</c>).</summary>
internal sealed class LabelSelector(IReadOnlyList<LabelRequirement> requirements)
{
    public static readonly LabelSelector Everything = new([]);

    public IReadOnlyList<LabelRequirement> Requirements { get; } = requirements;

    public bool Matches(JsonObject value) => MatchesLabels(value.Map("metadata", "labels"));

    public bool MatchesLabels(JsonObject? labels) => Requirements.All(requirement => requirement.Matches(labels));

    /// <exception cref="StatusException">400: the text is no selector.</exception>
    public static LabelSelector Parse(string? text) => string.IsNullOrEmpty(text) ? Everything : new LabelSelector(new LabelSelectorParser(text).Parse());

    /// <summary>The selector of a workload or policy; an empty one selects everything, null selects nothing and is the caller's to judge.</summary>
    public static LabelSelector Of(JsonObject selector)
    {
        var requirements = new List<LabelRequirement>();
        foreach (var (key, value) in selector.Map("matchLabels") ?? [])
        {
            requirements.Add(new LabelRequirement(key, SelectorOperator.In, [value.Text() ?? ""]));
        }

        foreach (var expression in selector.Maps("matchExpressions"))
        {
            var condition = expression.Text("operator") switch
            {
                "In" => SelectorOperator.In,
                "NotIn" => SelectorOperator.NotIn,
                "Exists" => SelectorOperator.Exists,
                "DoesNotExist" => SelectorOperator.DoesNotExist,
                var other => throw Failures.BadRequest($"\"{other}\" is not a valid label selector operator"),
            };
            requirements.Add(new LabelRequirement(expression.Text("key") ?? "", condition, [.. expression.Texts("values")]));
        }

        return new LabelSelector(requirements);
    }
}
