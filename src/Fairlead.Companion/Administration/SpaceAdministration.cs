using System.Text.Json;
using System.Text.Json.Nodes;
using Fairlead.Contracts.Administration;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Companion.Administration;

/// <summary>Administers a space with the rights of a kubeconfig, as the user who asked: the gateway's installation, and who may use it.</summary>
public sealed partial class SpaceAdministration(TimeProvider? time = null) : ISpaceAdministration
{
    private const string FieldManager = "fairlead";
    private static readonly TimeSpan ReadyTimeout = TimeSpan.FromMinutes(3);

    /// <summary>A start takes a second or two; what takes longer has a reason that the person wants to see.</summary>
    private static readonly TimeSpan PatienceWithoutReason = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan DeleteTimeout = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(200);

    private readonly TimeProvider clock = time ?? TimeProvider.System;

    public string RenderManifests(GatewayInstallOptions options) => Manifests.Render(options);

    public async Task InstallGatewayAsync(ClusterSelection cluster, GatewayInstallOptions options, IProgress<string> progress, CancellationToken cancellationToken)
    {
        var objects = Yaml.Parse(Manifests.Render(options));
        await WithClientAsync(cluster, async client =>
        {
            foreach (var value in objects)
            {
                await client.ApplyAsync(value, FieldManager, force: true, cancellationToken);
                progress.Report($"{value["kind"]} {value["metadata"]?["name"]} applied");
            }

            await WaitUntilReadyAsync(client, progress, cancellationToken);
            return true;
        });
    }

    public async Task UninstallGatewayAsync(ClusterSelection cluster, IProgress<string> progress, CancellationToken cancellationToken)
    {
        var objects = Yaml.Parse(Manifests.Render(new GatewayInstallOptions("fairlead/fairlead:dev", "default", 1, [])));
        await WithClientAsync(cluster, async client =>
        {
            foreach (var value in objects.Reverse())
            {
                try
                {
                    if (await client.DeleteAsync(value, cancellationToken))
                    {
                        progress.Report($"{value["kind"]} {value["metadata"]?["name"]} deleted");
                    }
                }
                catch (KubernetesException e) when (e.IsNotFound)
                {
                    // The cluster no longer serves its kind.
                    progress.Report($"{value["kind"]} {value["metadata"]?["name"]} is gone");
                }
            }

            await WaitUntilGoneAsync(client, progress, cancellationToken);
            return true;
        });
    }

    public Task<GatewayDeployment> GetGatewayAsync(ClusterSelection cluster, CancellationToken cancellationToken) => WithClientAsync(cluster, async client =>
    {
        var deployment = await client.GetAsync(Resources.Deployments, ClusterObjects.Namespace, ClusterObjects.Gateway, cancellationToken);
        if (deployment is null)
        {
            return new GatewayDeployment(false, null, 0, 0, null, null, [], []);
        }

        var space = await client.GetAsync(Resources.ConfigMaps, ClusterObjects.Namespace, ClusterObjects.SpaceConfigMap, cancellationToken);
        return new GatewayDeployment(
            true,
            deployment.Spec.Template.Spec.Containers is [var first, ..] ? first.Image : null,
            deployment.Spec.Replicas ?? 1,
            deployment.Status?.ReadyReplicas ?? 0,
            space?.Data.GetValueOrDefault(SpaceKeys.Name),
            space?.Data.GetValueOrDefault(SpaceKeys.Uid),
            [.. EndpointsOf(space).Select(e => $"{e.Host}:{e.ApiPort}:{e.DataPort}")],
            await FindProblemsAsync(client, deployment, cancellationToken));
    });

    private async Task WaitUntilReadyAsync(KubernetesClient client, IProgress<string> progress, CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        string? told = null;
        while (true)
        {
            var deployment = await client.GetAsync(Resources.Deployments, ClusterObjects.Namespace, ClusterObjects.Gateway, cancellationToken)
                ?? throw new FairleadException(ErrorCategory.Failed, "gateway-deleted", "The gateway was deleted while it was installed", "somebody else removed its Deployment", "Run 'fairlead gateway install' again.");
            var (done, state) = Rollout(deployment);
            if (done)
            {
                var space = await client.GetAsync(Resources.ConfigMaps, ClusterObjects.Namespace, ClusterObjects.SpaceConfigMap, cancellationToken);
                (done, state) = EndpointsOf(space).Count > 0 ? (true, "the gateway is ready") : (false, "waiting for the gateway to publish where it is reached");
            }

            if (!done && clock.GetElapsedTime(began) > PatienceWithoutReason && await FindProblemsAsync(client, deployment, cancellationToken) is { Count: > 0 } reasons)
            {
                state += ": " + string.Join("; ", reasons);
            }

            if (state != told)
            {
                progress.Report(told = state);
            }

            if (done)
            {
                return;
            }

            if (clock.GetElapsedTime(began) > ReadyTimeout)
            {
                var problems = await FindProblemsAsync(client, deployment, cancellationToken);
                throw new FairleadException(
                    ErrorCategory.TimedOut,
                    "gateway-not-ready",
                    $"The gateway did not become ready within {ReadyTimeout.TotalMinutes:0} minutes",
                    problems.Count > 0 ? string.Join("; ", problems) : state,
                    $"Look at 'kubectl -n {ClusterObjects.Namespace} describe pods' and 'kubectl -n {ClusterObjects.Namespace} logs deployment/{ClusterObjects.Gateway}'.");
            }

            await Task.Delay(PollInterval, clock, cancellationToken);
        }
    }

    private async Task WaitUntilGoneAsync(KubernetesClient client, IProgress<string> progress, CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        var told = false;
        while (await client.GetAsync(Resources.Namespaces, null, ClusterObjects.Namespace, cancellationToken) is not null)
        {
            if (!told)
            {
                told = true;
                progress.Report($"waiting for the namespace {ClusterObjects.Namespace} to end");
            }

            if (clock.GetElapsedTime(began) > DeleteTimeout)
            {
                throw new FairleadException(
                    ErrorCategory.TimedOut, "namespace-not-deleted", $"The namespace {ClusterObjects.Namespace} did not end in time", "something in it is not deleted yet", $"Look at 'kubectl get namespace {ClusterObjects.Namespace} -o yaml'.");
            }

            await Task.Delay(PollInterval, clock, cancellationToken);
        }
    }

    /// <summary>As kubectl rollout status judges a Deployment.</summary>
    private static (bool Done, string State) Rollout(Deployment deployment)
    {
        var wanted = deployment.Spec.Replicas ?? 1;
        if (deployment.Status is not { } status || (status.ObservedGeneration ?? 0) < (deployment.Metadata.Generation ?? 0))
        {
            return (false, "waiting for the cluster to take up the Deployment");
        }

        var updated = status.UpdatedReplicas ?? 0;
        return updated < wanted ? (false, $"{updated} of {wanted} gateways are new")
            : status.Replicas > updated ? (false, $"{status.Replicas - updated} old gateways are ending")
            : (status.AvailableReplicas ?? 0) < wanted ? (false, $"{status.AvailableReplicas ?? 0} of {wanted} gateways are ready")
            : (true, "every gateway is ready");
    }

    private static async Task<IReadOnlyList<string>> FindProblemsAsync(KubernetesClient client, Deployment deployment, CancellationToken cancellationToken)
    {
        var problems = new List<string>();
        foreach (var condition in deployment.Status?.Conditions ?? [])
        {
            if (condition is { Type: "ReplicaFailure", Status: "True" } or { Type: "Progressing", Status: "False" })
            {
                problems.Add(condition.Message ?? condition.Reason ?? condition.Type);
            }
        }

        var pods = await client.ListAsync(Resources.Pods, ClusterObjects.Namespace, $"{ClusterObjects.NameLabel}={ClusterObjects.Gateway}", cancellationToken: cancellationToken);
        foreach (var pod in pods.Items)
        {
            foreach (var container in pod.Status?.ContainerStatuses ?? [])
            {
                if (container.State.Waiting is { } waiting)
                {
                    problems.Add($"pod {pod.Metadata.Name}: {waiting.Reason}: {waiting.Message}".TrimEnd(':', ' '));
                }
                else if (!container.Ready)
                {
                    problems.Add($"pod {pod.Metadata.Name} is not ready (restarted {container.RestartCount} times)");
                }
            }
        }

        return problems;
    }

    private static IReadOnlyList<GatewayEndpoint> EndpointsOf(ConfigMap? space)
    {
        if (space?.Data.GetValueOrDefault(SpaceKeys.Endpoints) is not { } json)
        {
            return [];
        }

        try
        {
            return JsonSerializer.Deserialize(json, ClusterJson.Default.IReadOnlyListGatewayEndpoint) ?? [];
        }
        catch (JsonException e)
        {
            throw new FairleadException(ErrorCategory.Failed, "space-damaged", $"The ConfigMap {ClusterObjects.Namespace}/{ClusterObjects.SpaceConfigMap} is damaged", "its endpoints can't be read", "Delete it: the gateway writes it anew within a minute.", e);
        }
    }

    private async Task<T> WithClientAsync<T>(ClusterSelection cluster, Func<KubernetesClient, Task<T>> work)
    {
        try
        {
            using var client = new KubernetesClient(KubeConfig.Load(cluster.KubeconfigPath, cluster.Context), clock);
            return await work(client);
        }
        catch (KubernetesException e)
        {
            throw ClusterErrors.Explain(e);
        }
        catch (KubeConfigException e)
        {
            throw ClusterErrors.Explain(e);
        }
    }
}
