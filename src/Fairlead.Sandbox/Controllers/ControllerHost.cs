using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Objects;
using Microsoft.Extensions.Logging;

namespace Fairlead.Sandbox.Controllers;

/// <summary>All controllers of the cluster.</summary>
/// <param name="store">The store, with admission in front of creation.</param>
/// <param name="volumes">Directory of the host for volumes made on demand.</param>
internal sealed class ControllerHost(IObjectStore store, string volumes, TimeProvider time, ILogger logger)
{
    internal Task RunAsync(CancellationToken cancellationToken)
    {
        Controller[] all =
        [
            new EndpointSliceController(store, time, logger),
            new ReplicaSetController(store, time, logger),
            new DeploymentController(store, time, logger),
            new StatefulSetController(store, time, logger),
            new VolumeController(store, volumes, time, logger),
            new NamespaceController(store, time, logger),
            new GarbageCollector(store, time, logger),
        ];
        return TaskGroup.RunAsync(cancellationToken, [.. all.Select(controller => (Func<CancellationToken, Task>)controller.RunAsync)]);
    }
}
