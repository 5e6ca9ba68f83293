using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;
using Microsoft.Extensions.Logging;

namespace Fairlead.Gateway.Exits;

/// <summary>Puts an agent into a pod and tells it whose it is.</summary>
/// <param name="self">This gateway's own pod, whose image the agent has.</param>
/// <param name="tokenOf">What the agent is told, with the nonce in it.</param>
internal sealed partial class ExitPlacer(
    KubernetesClient client, string self, Func<ExitPod, JoinToken> tokenOf, TimeProvider time, ILogger<ExitPlacer> logger)
{
    /// <summary>An image may have to be pulled first, though a gateway's usually is there.</summary>
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);

    private static readonly string[] Hopeless = ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "RunContainerError"];

    /// <summary>From the token to the agent's connection; it is good no longer anyway.</summary>
    private static readonly TimeSpan ConnectTimeout = AgentEnrolment.NonceLifetime;

    /// <summary>Completes once the agent has connected.</summary>
    /// <param name="connected">That it has.</param>
    /// <exception cref="FairleadException">The cluster won't have it there, with its reason; or it doesn't connect.</exception>
    public async Task PlaceAsync(ExitPod pod, Task connected, CancellationToken cancellationToken)
    {
        var own = await client.GetAsync(Resources.Pods, client.Connection.Namespace, self, cancellationToken);
        var gateway = own?.Spec.Containers.FirstOrDefault(c => c.Name == "gateway") ?? throw Impossible(pod, $"the gateway's own pod {self} can't be read");
        var name = "fairlead-exit-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));
        LogPlacing(name, pod);
        try
        {
            var containers = new JsonArray(AgentContainer.Make(name, gateway.Image!, gateway.ImagePullPolicy));
            var patch = Patch.Strategic(new JsonObject { ["spec"] = new JsonObject { ["ephemeralContainers"] = containers } });
            await client.PatchSubresourceAsync(Resources.Pods, pod.Namespace, pod.Name, "ephemeralcontainers", patch, cancellationToken);
            await AwaitRunningAsync(pod, name, cancellationToken);
            await using var session = await client.AttachAsync(pod.Namespace, pod.Name, new AttachOptions(name, Stdin: true), cancellationToken);
            await session.Stdin.WriteAsync(Encoding.ASCII.GetBytes(tokenOf(pod).Encode() + "\n"), cancellationToken);

            // The session stays open as long: what was written may still be on its way through the API server and the node.
            await connected.WaitAsync(ConnectTimeout, time, cancellationToken);
        }
        catch (TimeoutException e)
        {
            throw Impossible(pod, "the agent did not connect; a network policy may keep it from the gateway, and its log says more", e);
        }
        catch (KubernetesException e)
        {
            // Among them Pod Security's: 'violates PodSecurity "restricted:latest": ...'.
            throw Impossible(pod, e.Status?.Message ?? e.Message, e);
        }
    }

    private async Task AwaitRunningAsync(ExitPod pod, string container, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        while (true)
        {
            var now = await client.GetAsync(Resources.Pods, pod.Namespace, pod.Name, cancellationToken);
            var state = now?.Metadata.Uid == pod.Uid
                ? now.Status?.EphemeralContainerStatuses.FirstOrDefault(s => s.Name == container)?.State
                : throw Impossible(pod, "the pod went away");
            switch (state)
            {
                case { Running: not null }:
                    return;
                case { Terminated: { } ended }:
                    throw Impossible(pod, $"the agent ended at once ({ended.Reason}, exit code {ended.ExitCode})");
                case { Waiting: { Reason: { } reason } waiting } when Hopeless.Contains(reason):
                    throw Impossible(pod, $"the agent can't start ({reason}: {waiting.Message})");
            }

            if (time.GetElapsedTime(began) > StartTimeout)
            {
                throw Impossible(pod, $"the agent did not start within {StartTimeout.TotalSeconds:0} s");
            }

            await Task.Delay(PollInterval, time, cancellationToken);
        }
    }

    private static FairleadException Impossible(ExitPod pod, string why, Exception? inner = null) =>
        new(ErrorCategory.Conflict, "exit-impossible", $"No agent can be placed in pod {pod}", why, inner: inner);

    [LoggerMessage(1611, LogLevel.Information, "placing {Container} in pod {Pod}")]
    private partial void LogPlacing(string container, ExitPod pod);
}
