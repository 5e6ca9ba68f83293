using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Objects;

namespace Fairlead.Sandbox.Nodes;

internal sealed class PodSources(IObjectStore store) : IPodSources
{
    public JsonObject? ConfigMap(string @namespace, string name) => store.Get(Kinds.ConfigMaps, @namespace, name);

    public JsonObject? Secret(string @namespace, string name) => store.Get(Kinds.Secrets, @namespace, name);

    public IEnumerable<JsonObject> Services(string @namespace)
    {
        if (@namespace != "default" && store.Get(Kinds.Services, "default", "kubernetes") is { } api)
        {
            yield return api;
        }

        foreach (var service in store.List(Kinds.Services, @namespace).Items)
        {
            yield return service;
        }
    }
}
