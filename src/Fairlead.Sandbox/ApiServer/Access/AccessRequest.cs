namespace Fairlead.Sandbox.ApiServer.Access;

/// <summary>What somebody wants to do: a verb on a resource, or on a path that is none.</summary>
internal sealed record AccessRequest(string Verb)
{
    public string Group { get; init; } = "";

    public string Resource { get; init; } = "";

    public string Subresource { get; init; } = "";

    public string? Namespace { get; init; }

    public string Name { get; init; } = "";

    /// <summary>Null for resources.</summary>
    public string? Path { get; init; }

    public string ResourceAndSubresource => Subresource.Length == 0 ? Resource : $"{Resource}/{Subresource}";
}
