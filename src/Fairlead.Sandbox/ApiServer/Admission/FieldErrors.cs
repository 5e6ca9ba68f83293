using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Kinds;

namespace Fairlead.Sandbox.ApiServer.Admission;

/// <summary>What is wrong with an object, field by field, in the words of Kubernetes' field errors.</summary>
internal sealed class FieldErrors
{
    private readonly List<(string Reason, string Field, string Message)> errors = [];

    public bool Any => errors.Count > 0;

    public void Required(string field, string detail = "") =>
        Add("FieldValueRequired", field, "Required value", detail);

    public void Invalid(string field, JsonNode? value, string detail) =>
        Add("FieldValueInvalid", field, $"Invalid value: {Show(value)}", detail);

    public void Forbidden(string field, string detail) => Add("FieldValueForbidden", field, "Forbidden", detail);

    public void Duplicate(string field, JsonNode? value) => Add("FieldValueDuplicate", field, $"Duplicate value: {Show(value)}", "");

    public void NotFound(string field, JsonNode? value) => Add("FieldValueNotFound", field, $"Not found: {Show(value)}", "");

    public void TypeInvalid(string field, JsonNode? value, string detail) =>
        Add("FieldValueTypeInvalid", field, $"Invalid value: {Show(value)}", detail);

    public void TooLong(string field, int limit) => Add("FieldValueTooLong", field, "Too long", $"may not be more than {limit} bytes");

    public void Unsupported(string field, JsonNode? value, IEnumerable<string> supported) =>
        Add("FieldValueNotSupported", field, $"Unsupported value: {Show(value)}", "supported values: " + string.Join(", ", supported.Select(Quote)));

    /// <exception cref="StatusException">422 with all the errors, when there are any.</exception>
    public void ThrowIfAny(ResourceKind kind, string name)
    {
        if (errors.Count == 0)
        {
            return;
        }

        var kindName = kind.Id.Group.Length == 0 ? kind.Kind : $"{kind.Kind}.{kind.Id.Group}";
        var all = errors.Select(error => $"{error.Field}: {error.Message}").Distinct().ToArray();
        var text = all.Length == 1 ? all[0] : $"[{string.Join(", ", all)}]";
        var causes = errors.Select(JsonNode? (error) => new JsonObject { ["reason"] = error.Reason, ["message"] = error.Message, ["field"] = error.Field });
        var details = new JsonObject { ["name"] = name, ["group"] = kind.Id.Group, ["kind"] = kind.Kind, ["causes"] = new JsonArray([.. causes]) };
        throw new StatusException(422, "Invalid", $"{kindName} \"{name}\" is invalid: {text}") { Details = details };
    }

    private static string Show(JsonNode? value) => value is null ? "null" : value.ToJsonString();

    private static string Quote(string text) => $"\"{text}\"";

    private void Add(string reason, string field, string what, string detail) =>
        errors.Add((reason, field, detail.Length == 0 ? what : $"{what}: {detail}"));
}
