namespace Fairlead.Sandbox.ApiServer.Selectors;

/// <summary>
/// The grammar of a label selector in a URL
/// (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors): requirements separated by commas, each
/// <c>key</c>, <c>!key</c>, <c>key=value</c>, <c>key==value</c>, <c>key!=value</c>, <c>key in (a,b)</c>, <c>key notin (a,b)</c>, <c>key&gt;1</c>, <c>key&lt;1</c>.
/// </summary>
internal ref struct LabelSelectorParser(string text)
{
    private readonly string text = text;
    private int position;

    public IReadOnlyList<LabelRequirement> Parse()
    {
        var requirements = new List<LabelRequirement>();
        do
        {
            requirements.Add(Requirement());
        }
        while (Accept(","));

        return position == text.Length ? requirements : throw Unparsable("unexpected text");
    }

    private LabelRequirement Requirement()
    {
        if (Accept("!"))
        {
            return new LabelRequirement(Key(), SelectorOperator.DoesNotExist, []);
        }

        var key = Key();
        if (Accept("!="))
        {
            return new LabelRequirement(key, SelectorOperator.NotIn, [Word()]);
        }

        if (Accept("==") || Accept("="))
        {
            return new LabelRequirement(key, SelectorOperator.In, [Word()]);
        }

        if (Accept(">"))
        {
            return new LabelRequirement(key, SelectorOperator.GreaterThan, [Word()]);
        }

        if (Accept("<"))
        {
            return new LabelRequirement(key, SelectorOperator.LessThan, [Word()]);
        }

        if (AtEndOfRequirement())
        {
            return new LabelRequirement(key, SelectorOperator.Exists, []);
        }

        return Word() switch
        {
            "in" => new LabelRequirement(key, SelectorOperator.In, Set()),
            "notin" => new LabelRequirement(key, SelectorOperator.NotIn, Set()),
            var other => throw Unparsable($"found '{other}', expected: in, notin, =, ==, !=, gt, lt"),
        };
    }

    private List<string> Set()
    {
        if (!Accept("("))
        {
            throw Unparsable("expected '('");
        }

        var values = new List<string>();
        do
        {
            values.Add(Word());
        }
        while (Accept(","));

        return Accept(")") ? values : throw Unparsable("expected ',' or ')'");
    }

    private string Key() => Word() is { Length: > 0 } key ? key : throw Unparsable("expected a key");

    private string Word()
    {
        SkipBlanks();
        var start = position;
        while (position < text.Length && (char.IsAsciiLetterOrDigit(text[position]) || text[position] is '-' or '_' or '.' or '/'))
        {
            position++;
        }

        return text[start..position];
    }

    private bool AtEndOfRequirement()
    {
        SkipBlanks();
        return position == text.Length || text[position] == ',';
    }

    private bool Accept(string token)
    {
        SkipBlanks();
        if (string.CompareOrdinal(text, position, token, 0, token.Length) != 0)
        {
            return false;
        }

        position += token.Length;
        return true;
    }

    private void SkipBlanks()
    {
        while (position < text.Length && text[position] is ' ' or '\t')
        {
            position++;
        }
    }

    private readonly StatusException Unparsable(string why) =>
        Failures.BadRequest($"unable to parse requirement: {why} at position {position} of \"{text}\"");
}
