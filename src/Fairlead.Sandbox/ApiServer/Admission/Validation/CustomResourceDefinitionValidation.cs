using Fairlead.Sandbox.ApiServer.Kinds;

namespace Fairlead.Sandbox.ApiServer.Admission.Validation;

internal static class CustomResourceDefinitionValidation
{
    public static void Definition(ObjectValidation definition)
    {
        var (value, errors) = (definition.Value, definition.Errors);
        var spec = value.Map("spec") ?? [];
        var (group, plural) = (spec.Text("group") ?? "", spec.Text("names", "plural") ?? "");
        if (!Names.IsSubdomain(group) || !group.Contains('.'))
        {
            errors.Invalid("spec.group", spec["group"], "should be a domain with at least one dot");
        }
        else if (KindTable.BuiltInGroups.Contains(group))
        {
            errors.Invalid("spec.group", group, "is a group of the API server's own");
        }

        if (!Names.IsLabel(plural))
        {
            errors.Invalid("spec.names.plural", spec.At("names", "plural"), "must be a lowercase RFC 1123 label");
        }

        if (value.Name() != $"{plural}.{group}")
        {
            errors.Invalid("metadata.name", value.Name(), "must be spec.names.plural+\".\"+spec.group");
        }

        if (string.IsNullOrEmpty(spec.Text("names", "kind")))
        {
            errors.Required("spec.names.kind");
        }

        if (spec.Text("scope") is not ("Namespaced" or "Cluster"))
        {
            errors.Unsupported("spec.scope", spec["scope"], ["Cluster", "Namespaced"]);
        }

        if (spec.Text("conversion", "strategy") is { } strategy and not "None")
        {
            errors.Unsupported("spec.conversion.strategy", strategy, ["None"]);
        }

        var versions = PodValidation.Indexed(spec, "versions", "spec").ToArray();
        if (versions.Count(version => version.Item.Flag("storage") == true) != 1)
        {
            errors.Invalid("spec.versions", spec["versions"], "must have exactly one version marked as storage version");
        }

        var seen = new HashSet<string>();
        foreach (var (version, at) in versions)
        {
            if (version.Text("name") is not { } name || !Names.IsLabel(name))
            {
                errors.Invalid($"{at}.name", version["name"], "must be a lowercase RFC 1123 label");
            }
            else if (!seen.Add(name))
            {
                errors.Duplicate($"{at}.name", name);
            }

            if (version.Map("schema", "openAPIV3Schema") is not { } schema)
            {
                errors.Required($"{at}.schema.openAPIV3Schema", "schemas are required");
            }
            else if (schema.Text("type") != "object")
            {
                errors.Invalid($"{at}.schema.openAPIV3Schema.type", schema["type"], "must be object at the root");
            }
        }

        definition.Immutable("field is immutable", "spec", "scope");
        definition.Immutable("field is immutable", "spec", "names", "kind");
    }
}
