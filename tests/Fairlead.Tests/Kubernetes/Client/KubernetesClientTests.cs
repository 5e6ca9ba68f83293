using System.Text.Json.Nodes;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Tests.Kubernetes.Client;

public sealed class KubernetesClientTests
{
    private const string Service = """
        {"kind":"Service","apiVersion":"v1","metadata":{"name":"frontend","namespace":"shop","uid":"u1","resourceVersion":"7",
         "creationTimestamp":"2026-01-02T03:04:05Z","labels":{"app":"shop"}},
         "spec":{"clusterIP":"10.96.0.7","type":"ClusterIP","somethingNew":{"a":[1]},
         "ports":[{"name":"http","port":80,"targetPort":"web"},{"port":81,"targetPort":8081}],"selector":null}}
        """;

    [Fact]
    public async Task Get_existing_object_is_read_with_its_fields()
    {
        await using var api = await MockApi.StartAsync((context, _) => MockApi.AnswerAsync(context, Service));
        using var client = api.Client();

        var service = (await client.GetAsync(Resources.Services, "shop", "frontend"))!;

        api.Requests.Single().Path.ShouldBe("/api/v1/namespaces/shop/services/frontend");
        service.Metadata.Labels["app"].ShouldBe("shop");
        service.Metadata.CreationTimestamp.ShouldBe(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
        service.Spec.ClusterIP.ShouldBe("10.96.0.7");
        service.Spec.Selector.ShouldBeEmpty();
        service.Spec.Ports[0].TargetPort.ShouldBe("web");
        service.Spec.Ports[1].TargetPort.ShouldBe(8081);
    }

    [Fact]
    public async Task Get_missing_object_is_null()
    {
        await using var api = await MockApi.StartAsync((context, _) => MockApi.FailAsync(context, 404, "NotFound"));
        using var client = api.Client();

        (await client.GetAsync(Resources.Services, "shop", "x")).ShouldBeNull();
    }

    [Fact]
    public async Task Get_name_with_odd_characters_cannot_leave_its_place_in_the_path()
    {
        await using var api = await MockApi.StartAsync((context, _) => MockApi.FailAsync(context, 404, "NotFound"));
        using var client = api.Client();

        await client.GetAsync(Resources.Services, "shop/../x", "a?b#c");

        api.Requests.Single().Query.ShouldBeEmpty();
        api.Requests.Single().Path.ShouldStartWith("/api/v1/namespaces/shop%2F");
    }

    [Fact]
    public async Task Get_namespaced_kind_without_namespace_is_an_error_before_any_request()
    {
        using var client = new KubernetesClient(new ClusterConnection(new Uri("http://127.0.0.1:1")));

        await Should.ThrowAsync<ArgumentException>(() => client.GetAsync(Resources.Services, null, "x"));
    }

    [Fact]
    public async Task Failure_with_status_keeps_code_reason_and_words()
    {
        await using var api = await MockApi.StartAsync((context, _) => MockApi.FailAsync(context, 403, "Forbidden", "alice may not"));
        using var client = api.Client();

        var e = await Should.ThrowAsync<KubernetesException>(() => client.GetAsync(Resources.Secrets, "shop", "x"));

        (e.Code, e.Reason).ShouldBe((403, "Forbidden"));
        e.Message.ShouldBe("GET /api/v1/namespaces/shop/secrets/x: alice may not (403)");
        e.Status!.Outcome.ShouldBe("Failure");
    }

    [Fact]
    public async Task Failure_with_a_proxys_page_quotes_it()
    {
        await using var api = await MockApi.StartAsync((context, _) => MockApi.AnswerAsync(context, "<h1>bad gateway</h1>", 502));
        using var client = api.Client();

        var e = await Should.ThrowAsync<KubernetesException>(() => client.GetAsync(Resources.Nodes, null, "x"));

        e.Code.ShouldBe(502);
        e.Message.ShouldContain("<h1>bad gateway</h1>");
        e.Status.ShouldBeNull();
    }

    [Fact]
    public async Task Answer_that_is_no_json_is_malformed()
    {
        await using var api = await MockApi.StartAsync((context, _) => MockApi.AnswerAsync(context, "{\"kind\":"));
        using var client = api.Client();

        (await Should.ThrowAsync<KubernetesException>(() => client.GetAsync(Resources.Nodes, null, "x"))).Reason.ShouldBe(KubernetesException.Malformed);
    }

    [Fact]
    public async Task Nobody_listening_is_unreachable()
    {
        using var client = new KubernetesClient(new ClusterConnection(new Uri("http://127.0.0.1:1")));

        var e = await Should.ThrowAsync<KubernetesException>(() => client.GetAsync(Resources.Nodes, null, "x"));

        (e.Code, e.Reason).ShouldBe((0, KubernetesException.Unreachable));
        e.Message.ShouldContain("http://127.0.0.1:1");
    }

    [Fact]
    public async Task Server_that_never_answers_is_a_timeout()
    {
        var arrived = new TaskCompletionSource();
        await using var api = await MockApi.StartAsync(async (context, _) =>
        {
            arrived.SetResult();
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
        });
        var time = new ManualTime();
        using var client = api.Client(time);

        var get = client.GetAsync(Resources.Nodes, null, "x");
        await arrived.Task;
        time.Advance(TimeSpan.FromSeconds(61));

        (await Should.ThrowAsync<KubernetesException>(() => get)).Reason.ShouldBe(KubernetesException.Timeout);
    }

    [Fact]
    public async Task Cancelled_call_is_cancelled_not_failed()
    {
        var arrived = new TaskCompletionSource();
        await using var api = await MockApi.StartAsync(async (context, _) =>
        {
            arrived.SetResult();
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
        });
        using var client = api.Client();
        using var stop = new CancellationTokenSource();

        var get = client.GetAsync(Resources.Nodes, null, "x", stop.Token);
        await arrived.Task;
        await stop.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => get);
    }

    [Fact]
    public async Task Create_sends_kind_and_nothing_that_is_empty()
    {
        await using var api = await MockApi.StartAsync((context, request) => MockApi.AnswerAsync(context, request.Body, 201));
        using var client = api.Client();

        await client.CreateAsync(Resources.Secrets, new Secret
        {
            Metadata = { Name = "s", Namespace = "shop" },
            Data = { ["key"] = "value"u8.ToArray(), ["none"] = [] },
        });

        var request = api.Requests.Single();
        (request.Method, request.Path).ShouldBe(("POST", "/api/v1/namespaces/shop/secrets"));
        request.Body.ShouldBe("""{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s","namespace":"shop"},"data":{"key":"dmFsdWU=","none":""}}""");
    }

    [Fact]
    public async Task Create_of_a_name_that_is_taken_says_so()
    {
        await using var api = await MockApi.StartAsync((context, _) => MockApi.FailAsync(context, 409, "AlreadyExists"));
        using var client = api.Client();

        var e = await Should.ThrowAsync<KubernetesException>(() => client.CreateAsync(Resources.Namespaces, new Namespace { Metadata = { Name = "x" } }));

        e.IsAlreadyExists.ShouldBeTrue();
        e.IsConflict.ShouldBeFalse();
    }

    [Fact]
    public async Task Replace_of_a_changed_object_is_a_conflict()
    {
        await using var api = await MockApi.StartAsync((context, _) => MockApi.FailAsync(context, 409, "Conflict"));
        using var client = api.Client();
        var lease = new Lease
        {
            Metadata = { Name = "l", Namespace = "fairlead", ResourceVersion = "4" },
            Spec = { HolderIdentity = "me", RenewTime = new DateTimeOffset(2026, 1, 2, 3, 4, 5, 678, TimeSpan.FromHours(1)) },
        };

        (await Should.ThrowAsync<KubernetesException>(() => client.ReplaceAsync(Resources.Leases, lease))).IsConflict.ShouldBeTrue();

        var request = api.Requests.Single();
        (request.Method, request.Path).ShouldBe(("PUT", "/apis/coordination.k8s.io/v1/namespaces/fairlead/leases/l"));
        request.Body.ShouldContain("\"renewTime\":\"2026-01-02T02:04:05.678000Z\"");
        request.Body.ShouldContain("\"resourceVersion\":\"4\"");
    }

    [Theory]
    [InlineData("merge", "application/merge-patch+json", """{"spec":{"replicas":2}}""")]
    [InlineData("strategic", "application/strategic-merge-patch+json", """{"spec":{"replicas":2}}""")]
    [InlineData("json", "application/json-patch+json", """[{"op":"replace","path":"/spec/replicas","value":2}]""")]
    public async Task Patch_goes_out_in_its_format(string format, string contentType, string body)
    {
        await using var api = await MockApi.StartAsync((context, _) => MockApi.AnswerAsync(context, """{"metadata":{"name":"d"},"spec":{"replicas":2}}"""));
        using var client = api.Client();
        var patch = format switch
        {
            "merge" => Patch.Merge(JsonNode.Parse(body)!.AsObject()),
            "strategic" => Patch.Strategic(JsonNode.Parse(body)!.AsObject()),
            _ => Patch.Json(JsonNode.Parse(body)!.AsArray()),
        };

        (await client.PatchAsync(Resources.Deployments, "shop", "d", patch)).Spec.Replicas.ShouldBe(2);

        var request = api.Requests.Single();
        (request.Method, request.ContentType, request.Body).ShouldBe(("PATCH", contentType, body));
    }

    [Fact]
    public async Task Delete_tells_whether_there_was_one()
    {
        await using var api = await MockApi.StartAsync((context, request) =>
            request.Path.EndsWith("/here", StringComparison.Ordinal) ? MockApi.AnswerAsync(context, "{}") : MockApi.FailAsync(context, 404, "NotFound"));
        using var client = api.Client();

        (await client.DeleteAsync(Resources.ConfigMaps, "shop", "here", new DeleteOptions { PropagationPolicy = "Background" })).ShouldBeTrue();
        (await client.DeleteAsync(Resources.ConfigMaps, "shop", "gone")).ShouldBeFalse();

        api.Requests.First().Body.ShouldContain("\"propagationPolicy\":\"Background\"");
    }

    [Fact]
    public async Task Subresources_have_their_paths()
    {
        await using var api = await MockApi.StartAsync((context, request) => MockApi.AnswerAsync(context, request.Path.Split('/')[^1] switch
        {
            "scale" => """{"kind":"Scale","metadata":{},"spec":{"replicas":3},"status":{"replicas":1}}""",
            "token" => """{"metadata":{},"status":{"token":"t","expirationTimestamp":"2026-01-02T03:04:05Z"}}""",
            "log" => "line 1\nline 2\n",
            _ => """{"metadata":{"name":"p"}}""",
        }));
        using var client = api.Client();

        (await client.SetScaleAsync(Resources.Deployments, "shop", "d", 3)).Status!.Replicas.ShouldBe(1);
        (await client.CreateTokenAsync("shop", "sa", ["aud"], TimeSpan.FromMinutes(10))).Token.ShouldBe("t");
        using var log = new StreamReader(await client.ReadLogAsync("shop", "p", new LogOptions(Container: "c", Follow: true, TailLines: 2)));
        (await log.ReadToEndAsync()).ShouldBe("line 1\nline 2\n");
        await client.ReplaceStatusAsync(Resources.Pods, new Pod { Metadata = { Name = "p", Namespace = "shop" } });
        await client.PatchSubresourceAsync(Resources.Pods, "shop", "p", "ephemeralcontainers", Patch.Strategic([]));

        var requests = api.Requests.ToArray();
        requests[0].Body.ShouldBe("""{"spec":{"replicas":3}}""");
        requests[1].Body.ShouldContain("""spec":{"audiences":["aud"],"expirationSeconds":600}""");
        requests[2].Query.ShouldBe("?container=c&follow=true&tailLines=2");
        requests.Select(r => $"{r.Method} {r.Path}").ShouldBe([
            "PATCH /apis/apps/v1/namespaces/shop/deployments/d/scale",
            "POST /api/v1/namespaces/shop/serviceaccounts/sa/token",
            "GET /api/v1/namespaces/shop/pods/p/log",
            "PUT /api/v1/namespaces/shop/pods/p/status",
            "PATCH /api/v1/namespaces/shop/pods/p/ephemeralcontainers"]);
    }

    [Fact]
    public async Task Busy_server_is_asked_again_after_the_time_it_names()
    {
        var answers = 0;
        await using var api = await MockApi.StartAsync((context, _) =>
        {
            if (answers++ > 0)
            {
                return MockApi.AnswerAsync(context, Service);
            }

            context.Response.Headers.RetryAfter = "7";
            return MockApi.FailAsync(context, 429, "TooManyRequests");
        });
        var time = new ManualTime(skip: TimeSpan.FromSeconds(30));
        using var client = api.Client(time);

        (await client.GetAsync(Resources.Services, "shop", "frontend")).ShouldNotBeNull();

        time.Skipped.ShouldBe([TimeSpan.FromSeconds(7)]);
    }

    [Fact]
    public async Task Busy_server_is_not_asked_forever()
    {
        await using var api = await MockApi.StartAsync((context, _) =>
        {
            context.Response.Headers.RetryAfter = "100000";
            return MockApi.FailAsync(context, 503, "ServiceUnavailable");
        });
        var time = new ManualTime(skip: TimeSpan.FromSeconds(30));
        using var client = api.Client(time);

        (await Should.ThrowAsync<KubernetesException>(() => client.GetAsync(Resources.Services, "shop", "x"))).Code.ShouldBe(503);

        time.Skipped.ShouldAllBe(t => t == TimeSpan.FromSeconds(30));
        api.Requests.Count.ShouldBe(6);
    }
}
