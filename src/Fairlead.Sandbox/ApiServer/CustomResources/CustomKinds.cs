using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Kinds;
using Fairlead.Sandbox.ApiServer.Tables;

namespace Fairlead.Sandbox.ApiServer.CustomResources;

/// <summary>The resources that CustomResourceDefinitions add, read from the store at each use, so that one is there as soon as its definition is.</summary>
internal sealed class CustomKinds(IObjectStore store)
{
    // One entry for each definition: replaced when it changes, dropped when it goes.
    private readonly ConcurrentDictionary<string, (JsonObject Definition, IReadOnlyList<ResourceKind> Kinds)> compiled = new();

    public IEnumerable<ResourceKind> All() => store.List(BuiltInKinds.CustomResourceDefinitions).Items.SelectMany(KindsOf);

    public ResourceKind? Find(ResourceId id)
    {
        var name = $"{id.Plural}.{id.Group}";
        if (store.Get(BuiltInKinds.CustomResourceDefinitions, null, name) is { } definition)
        {
            return KindsOf(definition).FirstOrDefault(kind => kind.Id == id);
        }

        compiled.TryRemove(name, out _);
        return null;
    }

    private IReadOnlyList<ResourceKind> KindsOf(JsonObject definition)
    {
        if (compiled.TryGetValue(definition.Name(), out var entry) && ReferenceEquals(entry.Definition, definition))
        {
            return entry.Kinds;
        }

        var kinds = Compile(definition);
        compiled[definition.Name()] = (definition, kinds);
        return kinds;
    }

    private static ResourceKind[] Compile(JsonObject definition) =>
        [.. definition.Maps("spec", "versions").Where(version => version.Flag("served") == true).Select(version => Compile(definition, version))];

    private static ResourceKind Compile(JsonObject definition, JsonObject version)
    {
        var spec = definition.Map("spec");
        var group = spec.Text("group") ?? "";
        var plural = spec.Text("names", "plural") ?? "";
        var kind = spec.Text("names", "kind") ?? "";
        var storage = spec.Maps("versions").FirstOrDefault(candidate => candidate.Flag("storage") == true).Text("name") ?? "";
        var resource = new CustomResourceVersion(definition, version);
        string[] shortNames = [.. spec.Texts("names", "shortNames")];
        return new ResourceKind(group, version.Text("name") ?? "", plural, kind, spec.Text("scope") == "Namespaced", shortNames)
        {
            StorageId = new ResourceId(group, storage, plural),
            ListKind = spec.Text("names", "listKind") ?? $"{kind}List",
            Singular = spec.Text("names", "singular") ?? kind.ToLowerInvariant(),
            Categories = [.. spec.Texts("names", "categories")],
            Subresources = SubresourcesOf(version, kind),
            HasGeneration = true,
            Columns = PrinterColumns.Of(version),
            Merge = SchemaMerge.Of(resource.Schema),
            Custom = resource,
        };
    }

    private static Subresource[] SubresourcesOf(JsonObject version, string kind)
    {
        var result = new List<Subresource>();
        if (version.Map("subresources", "status") is not null)
        {
            result.Add(Subresource.Status(kind));
        }

        if (version.Map("subresources", "scale") is not null)
        {
            result.Add(Subresource.Scale);
        }

        return [.. result];
    }
}
