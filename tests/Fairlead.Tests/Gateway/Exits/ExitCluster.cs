using System.Collections.Concurrent;
using System.Net;
using System.Net.WebSockets;
using System.Text.Json.Nodes;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Exits;
using Fairlead.Kubernetes;
using Fairlead.Tests.Kubernetes;
using Fairlead.Tests.Kubernetes.Streams;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Gateway.Exits;

/// <summary>
/// An API server with the gateway's own pod and the Deployment <c>shop/web</c>, whose pods take agents: what becomes of those is the test's to say.
/// </summary>
internal sealed class ExitCluster : IAsyncDisposable
{
    public const string Image = "example/fairlead:1";
    public const string Secret = "c2VjcmV0";
    private const string Gateway = "gateway-1";
    private const string Running = """{"running":{}}""";

    private readonly ConcurrentDictionary<string, string> containers = new();
    private MockApi api = null!;

    public KubernetesClient Client { get; private set; } = null!;

    /// <summary>Of shop/web; the uid is <c>uid-</c> and the name.</summary>
    public IReadOnlyList<string> Pods { get; init; } = ["web-1"];

    /// <summary>Of an agent's container, as JSON, by its pod; asked whenever the pod is.</summary>
    public Func<string, string> State { get; set; } = _ => Running;

    /// <summary>Why a pod takes no agent; null where it does.</summary>
    public Func<string, string?> Refusal { get; set; } = _ => null;

    /// <summary>Whether the pod is another one than before.</summary>
    public bool IsReplaced { get; set; }

    public bool HasGateway { get; set; } = true;

    /// <summary>An agent in this pod was told this.</summary>
    public Action<string, JoinToken> Told { get; set; } = (_, _) => { };

    /// <summary>The agents' containers as they were asked for, with their pods.</summary>
    public ConcurrentQueue<(string Pod, JsonObject Container)> Placed { get; } = [];

    public int Requests => api.Requests.Count;

    public async Task StartAsync()
    {
        api = await MockApi.StartAsync(AnswerAsync);
        Client = api.Client(ns: "fairlead");
    }

    public static string UidOf(string pod) => "uid-" + pod;

    public static ExitPod Pod(string name) => new("shop", name, UidOf(name), [IPAddress.Parse("10.244.0.5")]);

    public ExitPlacer Placer(TimeProvider time) => new(
        Client, Gateway, pod => new JoinToken("team", "space", [new GatewayEndpoint("gw", 1, 2)], new string('0', 64), pod.Uid, Secret, DateTimeOffset.UnixEpoch), time, NullLogger<ExitPlacer>.Instance);

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await api.DisposeAsync();
    }

    private Task AnswerAsync(HttpContext context, MockRequest request) => request.Path.Split('/')[4..] switch
    {
        ["fairlead", "pods", Gateway] when HasGateway => MockApi.AnswerAsync(
            context, $$"""{"metadata":{"name":"{{Gateway}}"},"spec":{"containers":[{"name":"sidecar","image":"other"},{"name":"gateway","image":"{{Image}}","imagePullPolicy":"Never"}]} }"""),
        ["shop", "pods"] => MockApi.AnswerAsync(context, $$"""{"metadata":{"resourceVersion":"1"},"items":[{{string.Join(',', Pods.Select(Describe))}}]}"""),
        ["shop", "pods", var pod] => MockApi.AnswerAsync(context, Describe(pod)),
        ["shop", "pods", var pod, "ephemeralcontainers"] => PlaceAsync(context, request, pod),
        ["shop", "pods", var pod, "attach"] => AttachAsync(context, pod),
        [_, "shop", "deployments", "web"] => MockApi.AnswerAsync(context, """{"metadata":{"name":"web"},"spec":{"selector":{"matchLabels":{"app":"web"}}}}"""),
        _ => MockApi.FailAsync(context, 404, "NotFound"),
    };

    private Task PlaceAsync(HttpContext context, MockRequest request, string pod)
    {
        var container = JsonNode.Parse(request.Body)!["spec"]!["ephemeralContainers"]![0]!.AsObject();
        Placed.Enqueue((pod, container));
        if (Refusal(pod) is { } refusal)
        {
            return MockApi.FailAsync(context, 403, "Forbidden", refusal);
        }

        containers[pod] = container["name"]!.GetValue<string>();
        return MockApi.AnswerAsync(context, Describe(pod));
    }

    private async Task AttachAsync(HttpContext context, string pod)
    {
        using var socket = await context.WebSockets.AcceptWebSocketAsync("v4.channel.k8s.io");
        var kubelet = new MockKubelet(socket);
        try
        {
            while (await kubelet.ReceiveAsync() is { } said)
            {
                if (said is { Channel: 0, Text.Length: > 0 })
                {
                    Told(pod, JoinToken.Parse(said.Text));
                }
            }

            await kubelet.CloseAsync();
        }
        catch (WebSocketException)
        {
            // The gateway is done with it.
        }
    }

    private string Describe(string pod)
    {
        var statuses = containers.TryGetValue(pod, out var container) ? $$"""{"name":"{{container}}","state":{{State(pod)}} }""" : "";
        return $$"""
            {"metadata":{"name":"{{pod}}","namespace":"shop","uid":"{{(IsReplaced ? "another" : UidOf(pod))}}","labels":{"app":"web"},"ownerReferences":[{"kind":"ReplicaSet","name":"web-5d9c","controller":true}]},
             "spec":{"containers":[]},
             "status":{"podIPs":[{"ip":"10.244.0.5"}],"conditions":[{"type":"Ready","status":"True"}],"ephemeralContainerStatuses":[{{statuses}}]} }
            """;
    }
}
