using Fairlead.Sandbox.ApiServer.CustomResources;

namespace Fairlead.Sandbox.ApiServer.Kinds;

/// <summary>Every resource that the server knows at this moment: the built-in ones and those that definitions in the store add.</summary>
internal sealed class KindTable(IObjectStore store)
{
    private static readonly Dictionary<ResourceId, ResourceKind> BuiltIn = BuiltInKinds.All.ToDictionary(kind => kind.Id);
    private readonly CustomKinds custom = new(store);

    public static IReadOnlyCollection<string> BuiltInGroups { get; } = BuiltIn.Keys.Select(id => id.Group).ToHashSet();

    public IEnumerable<ResourceKind> All => BuiltInKinds.All.Concat(custom.All());

    public ResourceKind? Find(ResourceId id) => BuiltIn.GetValueOrDefault(id) ?? custom.Find(id);

    public ResourceKind? FindKind(string apiVersion, string kind) =>
        All.FirstOrDefault(candidate => candidate.Kind == kind && candidate.ApiVersion == apiVersion);
}
