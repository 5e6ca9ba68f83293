using System.Text.Json.Nodes;

namespace Fairlead.Gateway.Exits;

/// <summary>The agent as an ephemeral container, within what Pod Security's level "restricted" allows. Pure.</summary>
internal static class AgentContainer
{
    /// <summary>All that tells it what to do comes on its standard input: whoever may read the pod's spec learns nothing.</summary>
    /// <param name="name">Another one each time: an ephemeral container can't be removed.</param>
    /// <param name="image">The gateway's own.</param>
    public static JsonObject Make(string name, string image, string? pullPolicy)
    {
        var container = new JsonObject
        {
            ["name"] = name,
            ["image"] = image,
            ["command"] = new JsonArray("/opt/fairlead-agent/fairlead-agent", "exit"),
            ["stdin"] = true,
            ["stdinOnce"] = true,
            ["env"] = new JsonArray(
                // 64 MiB: it holds no more than what is on its way, which the tunnel bounds (ExitServer).
                new JsonObject { ["name"] = "DOTNET_GCHeapHardLimit", ["value"] = "0x4000000" },

                // The diagnostics port would want a writable /tmp.
                new JsonObject { ["name"] = "DOTNET_EnableDiagnostics", ["value"] = "0" }),
            ["securityContext"] = new JsonObject
            {
                ["runAsNonRoot"] = true,
                ["runAsUser"] = 65532,
                ["runAsGroup"] = 65532,
                ["allowPrivilegeEscalation"] = false,
                ["readOnlyRootFilesystem"] = true,
                ["capabilities"] = new JsonObject { ["drop"] = new JsonArray("ALL") },
                ["seccompProfile"] = new JsonObject { ["type"] = "RuntimeDefault" },
            },
        };
        if (pullPolicy is not null)
        {
            container["imagePullPolicy"] = pullPolicy;
        }

        return container;
    }
}
