using Microsoft.Extensions.Logging;

namespace Fairlead.Sandbox.Hosting;

/// <summary>Puts the API server's parts together.</summary>
internal static class ControlPlane
{
    internal static IControlPlane Create(TimeProvider time, ILoggerFactory loggers) => throw new SandboxException($"No API server yet: {time} {loggers}");
}
