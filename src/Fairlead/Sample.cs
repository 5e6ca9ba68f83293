using System.Text.Json.Nodes;
using Fairlead.Cli.Hosting;
using Fairlead.Contracts.Errors;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;

namespace Fairlead;

/// <summary>Manifests that come with the program, applied as <c>kubectl apply</c> would.</summary>
internal sealed class Sample
{
    private const string FieldManager = "fairlead-sandbox";

    /// <summary>Ten small programs and a database start on two cores in about five seconds; a busy machine gets this long.</summary>
    private static readonly TimeSpan ReadyTimeout = TimeSpan.FromSeconds(90);

    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(200);

    private readonly string _name;
    private readonly IReadOnlyList<JsonObject> _objects;

    private Sample(string name, IReadOnlyList<JsonObject> objects)
    {
        _name = name;
        _objects = objects;
    }

    /// <exception cref="FairleadException">It doesn't come with this program.</exception>
    public static Sample Load(string name)
    {
        var directory = Path.Combine(AppContext.BaseDirectory, "samples", name);
        if (!Directory.Exists(directory))
        {
            throw new FairleadException(ErrorCategory.Failed, "sample-missing", $"The sample '{name}' is not there", $"{directory} does not exist", "Build again with ./build");
        }

        return new Sample(name, Directory.GetFiles(directory, "*.yaml").Order(StringComparer.Ordinal).SelectMany(file => Yaml.Parse(File.ReadAllText(file))).ToArray());
    }

    /// <summary>Returns when every pod that the manifests ask for is ready.</summary>
    public async Task ApplyAsync(KubernetesClient client, IProgress<string> progress, CancellationToken cancellationToken)
    {
        progress.Report($"Applying the {_name}'s manifests");
        try
        {
            foreach (var value in _objects)
            {
                await client.ApplyAsync(value, FieldManager, force: true, cancellationToken);
            }

            await WaitAsync(client, progress, cancellationToken);
        }
        catch (KubernetesException e)
        {
            throw new FairleadException(ErrorCategory.Failed, "sample-apply", $"The cluster refused the {_name}'s manifests", e.Message, "sudo fairlead sandbox kubectl get events -A", e);
        }
    }

    public static SandboxPod Describe(Pod pod) => new(
        pod.Metadata.Namespace ?? "",
        pod.Metadata.Name ?? "",
        pod.Status?.Phase ?? "Pending",
        IsReady(pod),
        pod.Status?.ContainerStatuses.Sum(c => c.RestartCount) ?? 0,
        pod.Status?.PodIP);

    private static bool IsReady(Pod pod) => pod.Status?.Conditions.Any(c => c is { Type: "Ready", Status: "True" }) == true;

    private async Task WaitAsync(KubernetesClient client, IProgress<string> progress, CancellationToken cancellationToken)
    {
        var wanted = _objects.Sum(o => o["kind"]?.GetValue<string>() is "Deployment" or "StatefulSet" ? o["spec"]?["replicas"]?.GetValue<long>() ?? 1 : 0);
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var pods = (await client.ListAsync(Resources.Pods, _name, cancellationToken: cancellationToken)).Items;
            var ready = pods.Count(IsReady);
            if (ready >= wanted)
            {
                return;
            }

            progress.Report($"{ready} of {wanted} pods of the {_name} are ready");
            if (TimeProvider.System.GetElapsedTime(started) > ReadyTimeout)
            {
                var missing = pods.Where(p => !IsReady(p)).Select(p => $"{p.Metadata.Name} ({p.Status?.Phase}{(p.Status?.ContainerStatuses is [{ State.Waiting.Reason: { } reason }, ..] ? ", " + reason : "")})");
                throw new FairleadException(ErrorCategory.TimedOut, "sample-not-ready", $"The {_name} is not ready after {ReadyTimeout.TotalSeconds:F0} s", $"not ready: {string.Join(", ", missing)}", $"sudo fairlead sandbox kubectl describe pods -n {_name}");
            }

            await Task.Delay(PollInterval, cancellationToken);
        }
    }
}
