namespace Fairlead.Companion.Administration.Values;

/// <summary>What a value of <see cref="GatewayValues"/> is for and what it may be; from here come the checks, the chart's values.yaml and its schema.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class ValueAttribute(string description, ValueForm form = ValueForm.Text) : Attribute
{
    public string Description { get; } = description;

    /// <summary>Of the text, or of each text in a list.</summary>
    public ValueForm Form { get; } = form;

    /// <summary>When not empty, the only texts that are taken.</summary>
    public string[] Allowed { get; init; } = [];

    /// <summary>The empty text is taken too: not set.</summary>
    public bool Optional { get; init; }

    public int Min { get; init; }

    public int Max { get; init; }
}
