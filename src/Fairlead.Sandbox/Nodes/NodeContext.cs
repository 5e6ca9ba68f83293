using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Images;
using Fairlead.Sandbox.Network;
using Microsoft.Extensions.Logging;

namespace Fairlead.Sandbox.Nodes;

/// <summary>A service account token for a pod.</summary>
/// <param name="Audience">Null: the API server's own.</param>
internal sealed record TokenWish(string Namespace, string Pod, string? Audience, TimeSpan Lifetime);

/// <summary>Where a node keeps things. Everything in <paramref name="Volatile"/> is gone when the serving process ends.</summary>
/// <param name="Volatile">A private tmpfs: writable layers, scripts, tokens, ConfigMaps and Secrets.</param>
/// <param name="Data">On disk: emptyDir volumes and logs.</param>
internal sealed record NodeDirectories(string Volatile, string Data)
{
    internal string Devices => Path.Combine(Volatile, "dev");

    internal string PodVolatile(string uid) => Path.Combine(Volatile, "pods", uid);

    internal string PodData(string uid) => Path.Combine(Data, "pods", uid);
}

/// <summary>What every pod of the node works with.</summary>
internal sealed record NodeContext(
    IObjectStore Store, ClusterNetwork Network, ImageTable Images, NodeDirectories Directories, IPodSources Sources, EventRecorder Events,
    Func<TokenWish, string> Tokens, IReadOnlyList<string> HostMounts, IReadOnlyList<string> Hidden,
    TimeProvider Time, ILogger Logger);
