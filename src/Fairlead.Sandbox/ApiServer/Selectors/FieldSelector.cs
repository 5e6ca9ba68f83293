using System.Text;
using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Selectors;

/// <summary>A field selector: <c>metadata.name=a,status.phase!=Running</c>, with <c>\,</c> <c>\=</c> <c>\\</c> for those characters in a value.</summary>
internal sealed class FieldSelector
{
    public static readonly FieldSelector Everything = new([]);

    private readonly IReadOnlyList<Term> terms;

    private FieldSelector(IReadOnlyList<Term> terms) => this.terms = terms;

    /// <param name="text">The query parameter.</param>
    /// <param name="supported">Paths that the kind supports besides metadata.name and metadata.namespace.</param>
    /// <exception cref="StatusException">400: no selector, or a field that the kind doesn't support.</exception>
    public static FieldSelector Parse(string? text, IReadOnlyCollection<string> supported)
    {
        if (string.IsNullOrEmpty(text))
        {
            return Everything;
        }

        var parsed = new List<Term>();
        foreach (var part in Split(text))
        {
            if (part.Length == 0)
            {
                continue;
            }

            var sign = part.IndexOf('=');
            if (sign <= 0)
            {
                throw Failures.BadRequest($"invalid selector: '{text}'; can't understand '{part}'");
            }

            var negated = part[sign - 1] == '!';
            var path = part[..(negated ? sign - 1 : sign)].Trim();
            var value = part[(part.AsSpan(sign).StartsWith("==") ? sign + 2 : sign + 1)..];
            if (path is not ("metadata.name" or "metadata.namespace") && !supported.Contains(path))
            {
                throw Failures.BadRequest($"field label not supported: {path}");
            }

            parsed.Add(new Term(path.Split('.'), Unescape(value), negated));
        }

        return new FieldSelector(parsed);
    }

    public bool Matches(JsonObject value) => terms.All(term => term.Matches(value));

    private static IEnumerable<string> Split(string text)
    {
        var start = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\')
            {
                i++;
            }
            else if (text[i] == ',')
            {
                yield return text[start..i];
                start = i + 1;
            }
        }

        yield return text[start..];
    }

    private static string Unescape(string value)
    {
        var result = new StringBuilder();
        for (var i = 0; i < value.Length; i++)
        {
            if (value[i] == '\\' && ++i == value.Length)
            {
                throw Failures.BadRequest($"invalid field selector: '{value}' ends in an escape");
            }

            result.Append(value[i]);
        }

        return result.ToString();
    }

    private sealed record Term(string[] Path, string Value, bool Negated)
    {
        public bool Matches(JsonObject value) => (value.At(Path)?.ToString() ?? "") == Value != Negated;
    }
}
