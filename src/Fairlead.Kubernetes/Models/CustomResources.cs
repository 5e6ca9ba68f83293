using System.Text.Json.Nodes;

namespace Fairlead.Kubernetes.Models;

public sealed class CustomResourceDefinition : KubeObject
{
    public CustomResourceDefinitionSpec Spec { get; set => field = value ?? new(); } = new();

    public CustomResourceDefinitionStatus? Status { get; set; }
}

public sealed class CustomResourceDefinitionSpec
{
    public string Group { get; set; } = "";

    /// <summary><c>Namespaced</c> or <c>Cluster</c>.</summary>
    public string Scope { get; set; } = "";

    public CustomResourceNames Names { get; set => field = value ?? new(); } = new();

    public IReadOnlyList<CustomResourceVersion> Versions { get; set => field = value ?? []; } = [];
}

public sealed class CustomResourceNames
{
    public string Plural { get; set; } = "";

    public string? Singular { get; set; }

    public string Kind { get; set; } = "";

    public string? ListKind { get; set; }

    public IReadOnlyList<string> ShortNames { get; set => field = value ?? []; } = [];

    public IReadOnlyList<string> Categories { get; set => field = value ?? []; } = [];
}

public sealed class CustomResourceVersion
{
    public string Name { get; set; } = "";

    public bool Served { get; set; }

    public bool Storage { get; set; }

    /// <summary><c>{ openAPIV3Schema: … }</c>.</summary>
    public JsonNode? Schema { get; set; }

    /// <summary><c>{ status: {}, scale: … }</c>.</summary>
    public JsonNode? Subresources { get; set; }

    public IReadOnlyList<JsonNode> AdditionalPrinterColumns { get; set => field = value ?? []; } = [];
}

public sealed class CustomResourceDefinitionStatus
{
    /// <summary><c>Established</c> is True once the resource can be used.</summary>
    public IReadOnlyList<Condition> Conditions { get; set => field = value ?? []; } = [];

    public CustomResourceNames? AcceptedNames { get; set; }

    public IReadOnlyList<string> StoredVersions { get; set => field = value ?? []; } = [];
}
