using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Admission;
using Fairlead.Sandbox.ApiServer.CustomResources;
using Fairlead.Sandbox.ApiServer.Patching;
using Fairlead.Sandbox.ApiServer.Tables;

namespace Fairlead.Sandbox.ApiServer.Kinds;

/// <summary>What the API server knows of one resource: its names, what may be asked of it, and what is particular to writing it.</summary>
internal sealed record ResourceKind
{
    public static readonly IReadOnlyList<string> AllVerbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

    public ResourceKind(string group, string version, string plural, string kind, bool namespaced, params string[] shortNames)
    {
        Id = new ResourceId(group, version, plural);
        StorageId = Id;
        Kind = kind;
        Singular = kind.ToLowerInvariant();
        Namespaced = namespaced;
        ShortNames = shortNames;
    }

    public ResourceId Id { get; }

    /// <summary>Where the store keeps it: another version of the same custom resource has the same one.</summary>
    public ResourceId StorageId { get; init; }

    public string Kind { get; }

    public string ListKind { get => field ?? $"{Kind}List"; init; }

    public string Singular { get; init; }

    public bool Namespaced { get; }

    public IReadOnlyList<string> ShortNames { get; init; }

    public IReadOnlyList<string> Categories { get; init; } = [];

    public IReadOnlyList<string> Verbs { get; init; } = AllVerbs;

    public IReadOnlyList<Subresource> Subresources { get; init; } = [];

    /// <summary><c>metadata.generation</c> counts changes of everything but metadata and status.</summary>
    public bool HasGeneration { get; init; }

    public IReadOnlyList<string> FieldLabels { get; init; } = [];

    /// <summary>Columns after Name; null: Name and Age.</summary>
    public IReadOnlyList<TableColumn>? Columns { get; init; }

    /// <summary>How lists merge. Built-in kinds alone have strategic merge patches; custom resources use this for server-side apply.</summary>
    public MergeSchema Merge { get; init; } = MergeSchema.Object;

    public Action<JsonObject>? SetDefaults { get; init; }

    public Action<ObjectValidation>? Validate { get; init; }

    /// <summary>Its definition, when it is a custom resource.</summary>
    public CustomResourceVersion? Custom { get; init; }

    public bool HasStatus => Subresources.Any(static sub => sub.Name == "status");

    public string ApiVersion => Id.Group.Length == 0 ? Id.Version : $"{Id.Group}/{Id.Version}";
}

/// <summary>A subresource as discovery lists it; group and version are those of the object that it takes, when they are others.</summary>
internal sealed record Subresource(string Name, string Kind, IReadOnlyList<string> Verbs, string? Group = null, string? Version = null)
{
    public static Subresource Status(string kind) => new("status", kind, ["get", "patch", "update"]);

    public static readonly Subresource Scale = new("scale", "Scale", ["get", "patch", "update"], "autoscaling", "v1");
}
