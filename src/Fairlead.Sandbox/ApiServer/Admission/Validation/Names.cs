using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Fairlead.Sandbox.ApiServer.Kinds;

namespace Fairlead.Sandbox.ApiServer.Admission.Validation;

/// <summary>
/// The rules for names, labels and annotations
/// (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/).
/// </summary>
internal static partial class Names
{
    /// <summary>All annotations of one object together, keys and values.</summary>
    private const int AnnotationLimit = 256 * 1024;

    private const string SubdomainRule =
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
        + "character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

    private const string LabelRule =
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character "
        + "(e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

    private const string ServiceRule =
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric "
        + "character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

    public static void Check(ResourceKind kind, JsonObject value, FieldErrors errors)
    {
        CheckName(kind, value.Name(), errors);
        CheckLabels(value.Map("metadata", "labels"), "metadata.labels", errors);
        var size = 0;
        foreach (var (key, annotation) in value.Map("metadata", "annotations") ?? [])
        {
            CheckQualified(key.ToLowerInvariant(), "metadata.annotations", errors);
            size += key.Length + (annotation.Text()?.Length ?? 0);
        }

        if (size > AnnotationLimit)
        {
            errors.TooLong("metadata.annotations", AnnotationLimit);
        }

        foreach (var finalizer in value.Texts("metadata", "finalizers"))
        {
            CheckQualified(finalizer, "metadata.finalizers", errors);
        }
    }

    public static void CheckLabels(JsonObject? labels, string field, FieldErrors errors)
    {
        foreach (var (key, label) in labels ?? [])
        {
            CheckQualified(key, field, errors);
            if (label is not JsonValue || label.Text() is not { } text)
            {
                errors.TypeInvalid($"{field}.{key}", label, "must be a string");
            }
            else if (text.Length > 63 || (text.Length > 0 && !LabelValue().IsMatch(text)))
            {
                errors.Invalid(
                    field,
                    text,
                    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
                        + "alphanumeric character, at most 63 of them");
            }
        }
    }

    public static bool IsLabel(string text) => text.Length is > 0 and <= 63 && Label().IsMatch(text);

    public static bool IsSubdomain(string text) => text.Length is > 0 and <= 253 && Subdomain().IsMatch(text);

    private static void CheckName(ResourceKind kind, string name, FieldErrors errors)
    {
        const string field = "metadata.name";
        if (name.Length == 0)
        {
            errors.Required(field, "name or generateName is required");
            return;
        }

        switch (kind.Id.Plural)
        {
            case "namespaces" when !IsLabel(name):
                errors.Invalid(field, name, LabelRule);
                break;
            case "services" when !(name.Length <= 63 && ServiceLabel().IsMatch(name)):
                errors.Invalid(field, name, ServiceRule);
                break;
            case "roles" or "rolebindings" or "clusterroles" or "clusterrolebindings":
                if (name is "." or ".." || name.AsSpan().ContainsAny('/', '%'))
                {
                    errors.Invalid(field, name, "may not be '.' or '..', may not contain '/' or '%'");
                }

                break;
            default:
                if (!IsSubdomain(name))
                {
                    errors.Invalid(field, name, SubdomainRule);
                }

                break;
        }
    }

    private static void CheckQualified(string key, string field, FieldErrors errors)
    {
        var slash = key.IndexOf('/');
        var name = key[(slash + 1)..];
        if (name.Length is 0 or > 63 || !LabelValue().IsMatch(name) || (slash >= 0 && !IsSubdomain(key[..slash])))
        {
            errors.Invalid(
                field,
                key,
                "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character, "
                    + "after an optional DNS subdomain and '/'");
        }
    }

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]*[a-z0-9])?\z")]
    private static partial Regex Label();

    [GeneratedRegex(@"^[a-z]([-a-z0-9]*[a-z0-9])?\z")]
    private static partial Regex ServiceLabel();

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\z")]
    private static partial Regex Subdomain();

    [GeneratedRegex(@"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?\z")]
    private static partial Regex LabelValue();
}
