using System.Text.Json.Nodes;
using Fairlead.Contracts.Administration;
using Fairlead.Contracts.Errors;
using Fairlead.Kubernetes;

namespace Fairlead.Companion.Administration.Values;

/// <summary>Values as people gave them on the command line, over those that were set before.</summary>
internal static class ValueInputs
{
    /// <returns>What is set, checked; not the defaults.</returns>
    /// <exception cref="FairleadException"/>
    public static JsonObject Lay(JsonObject before, GatewayValueInputs inputs)
    {
        var set = before.DeepClone().AsObject();
        foreach (var file in inputs.Files)
        {
            ValueMerge.Overlay(set, Read(file));
        }

        foreach (var json in inputs.Json)
        {
            SetSyntax.ApplyJson(json, set);
        }

        foreach (var argument in inputs.Set)
        {
            SetSyntax.Apply(argument, asText: false, set);
        }

        foreach (var argument in inputs.Texts)
        {
            SetSyntax.Apply(argument, asText: true, set);
        }

        ValueSchema.Check(set);
        var values = ValueMerge.Effective(set);
        return values.Ingress is { Enabled: true, Host.Length: 0 }
            ? throw new FairleadException(ErrorCategory.Usage, "value-invalid", "ingress.enabled can't be set so", "the ingress has no host", "Name it: --set ingress.host=HOST")
            : set;
    }

    private static JsonObject Read(GatewayValuesFile file)
    {
        try
        {
            return Yaml.Parse(file.Content) switch
            {
                [] => [],
                [var values] => values,
                _ => throw new FormatException("it holds several documents"),
            };
        }
        catch (FormatException e)
        {
            throw new FairleadException(ErrorCategory.Usage, "values-unreadable", $"The values in {file.Name} can't be read", e.Message, "Correct the file; docs/install.md has the values.", e);
        }
    }
}
