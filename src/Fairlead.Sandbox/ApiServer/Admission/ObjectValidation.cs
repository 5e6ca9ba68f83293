using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Admission;

/// <summary>One object under validation: what it becomes, what it was (null on create), what is wrong, and the subresource that is written.</summary>
internal sealed record ObjectValidation(JsonObject Value, JsonObject? Old, FieldErrors Errors, string? Subresource = null)
{
    /// <summary>Reports a change of a field that may only be set on create.</summary>
    public void Immutable(string detail, params ReadOnlySpan<string> path)
    {
        if (Old is not null && !JsonNode.DeepEquals(Value.At(path), Old.At(path)))
        {
            Errors.Invalid(string.Join('.', path), Value.At(path), detail);
        }
    }
}
