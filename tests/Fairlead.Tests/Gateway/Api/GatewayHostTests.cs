using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway;
using Fairlead.Tests.Gateway.Identity;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Direct;
using Fairlead.Tunnel.Link;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Gateway.Api;

/// <summary>The whole gateway on ports of the kernel's, beside a cluster in memory, met by the laptop's real end of the tunnel.</summary>
public sealed class GatewayHostTests : IAsyncLifetime
{
    private readonly TcpListener service = new(IPAddress.Loopback, 0);
    private readonly ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private FakeCluster cluster = null!;
    private GatewayHost gateway = null!;
    private X509Certificate2 authority = null!;

    public async ValueTask InitializeAsync()
    {
        service.Start();
        cluster = await FakeCluster.StartAsync();
        cluster.Put("/api/v1/nodes/node-1", """{"status":{"addresses":[{"type":"InternalIP","address":"198.18.0.2"}]}}""");
        cluster.Put("/api/v1/namespaces/shop/services/echo", $$"""{"spec":{"type":"ClusterIP","clusterIP":"127.0.0.1","ports":[{"name":"main","port":{{Port}},"protocol":"TCP"}]} }""");
        cluster.Put("/api/v1/namespaces/other/services/hidden", """{"spec":{"type":"ClusterIP","clusterIP":"10.96.0.9","ports":[{"port":80}]}}""");
        Grant("shop");
        gateway = await GatewayHost.StartAsync(
            new GatewayOptions
            {
                Address = IPAddress.Loopback, ApiPort = 0, DataPort = 0, HealthPort = 0, DrainGrace = TimeSpan.FromMilliseconds(200),
                Endpoints = [new GatewayEndpoint("127.0.0.1", 1, 1)], ResolverConfiguration = "/nonexistent",
            },
            cluster.Client, TimeProvider.System, NullLoggerFactory.Instance, CancellationToken.None);
        while (gateway.NotReady() is not null)
        {
            await Task.Delay(5);
        }

        authority = X509Certificate2.CreateFromPem(cluster.Get("/api/v1/namespaces/fairlead/secrets/fairlead-ca")!["data"]!["tls.crt"]!.GetValue<string>() is var pem
            ? System.Text.Encoding.ASCII.GetString(Convert.FromBase64String(pem)) : "");
    }

    public async ValueTask DisposeAsync()
    {
        await gateway.DisposeAsync();
        await cluster.DisposeAsync();
        service.Dispose();
        key.Dispose();
    }

    private int Port => ((IPEndPoint)service.LocalEndpoint).Port;

    [Fact]
    public async Task Join_then_hello_catalog_and_flows_work_and_a_revocation_ends_all_of_them()
    {
        using var certificate = await JoinAsync();
        using var client = Client(certificate);
        var hello = await PostAsync(client, GatewayApi.Hello, """{"protocolVersions":[1,7],"productVersion":"9.9","capabilities":[]}""");
        var welcome = JsonSerializer.Deserialize(await hello.Content.ReadAsStringAsync(), GatewayJson.Default.HelloResponse)!;
        (welcome.ProtocolVersion, welcome.Subject, welcome.SpaceUid).ShouldBe((1, "invite:alice", gateway.SpaceUid));
        welcome.Rights!.ShouldHaveSingleItem().Namespaces.ShouldBe(["shop"]);
        var diagnosis = await PostAsync(client, GatewayApi.Diagnosis, """{"targets":[{"host":"nowhere.shop.svc","port":80}]}""");
        var found = JsonSerializer.Deserialize(await diagnosis.Content.ReadAsStringAsync(), GatewayJson.Default.DiagnosisResponse)!;
        (found.GatewayNamespace, found.Targets.Single().Outcome).ShouldBe(("fairlead", DialOutcome.Failed));

        using var catalog = new StreamReader(await client.GetStreamAsync(GatewayApi.Catalog));
        var first = await ReadUntilAsync(catalog, CatalogEventType.Synced);
        cluster.Put("/api/v1/namespaces/fairlead/configmaps/fairlead-client", """{"data":{"never-proxy-subnets":"10.8.0.0/16"}}""");
        (await ReadUntilAsync(catalog, CatalogEventType.Heartbeat))[^1].Settings!["never-proxy-subnets"].ShouldBe("10.8.0.0/16");
        using (var probe = new HttpClient())
        {
            var status = await probe.GetFromJsonAsync(new Uri($"http://127.0.0.1:{gateway.Ports.Health}{ReplicaStatus.Path}"), GatewayJson.Default.ReplicaStatus);
            status!.People.ShouldBe([new ConnectedPerson("invite:alice", 1)]);
            status.NotReady.ShouldBeNull();
        }

        first.Where(e => e.Service is not null).Select(e => e.Service!.Name).ShouldBe(["echo"]);

        await using var direct = Direct(certificate);
        var (flow, far) = await OpenAsync(direct);
        await far.SendAsync("hi"u8.ToArray());
        var buffer = new byte[8];
        (await flow.ReadAsync(buffer).AsTask().WaitAsync(Limit)).ShouldBe(2);

        cluster.Put("/api/v1/namespaces/fairlead/configmaps/fairlead-revocations", $$"""{"data":{"invite.alice":"{{DateTimeOffset.UtcNow:O}}"} }""");
        await Should.ThrowAsync<IOException>(async () => await flow.ReadAsync(buffer).AsTask().WaitAsync(Limit));
        (await far.ReceiveAsync(buffer).WaitAsync(Limit).ContinueWith(t => t.IsFaulted || t.Result == 0)).ShouldBeTrue();
        await Should.ThrowAsync<IOException>(() => ReadUntilAsync(catalog, CatalogEventType.Draining).WaitAsync(Limit));

        // On a connection of its own: the client's may be just ending.
        using var later = Client(certificate);
        (await ErrorAsync(await PostAsync(later, GatewayApi.Hello, """{"protocolVersions":[1],"productVersion":"1","capabilities":[]}"""))).ShouldBe((HttpStatusCode.Forbidden, "revoked"));
        await flow.DisposeAsync();
        far.Dispose();
    }

    [Fact]
    public async Task Grant_narrowed_ends_the_flow_and_takes_the_service_out_of_the_catalog()
    {
        using var certificate = await JoinAsync();
        using var client = Client(certificate);
        using var catalog = await FollowCatalogAsync(client);
        await using var direct = Direct(certificate);
        var (flow, far) = await OpenAsync(direct);
        Grant("dev-*");
        await Should.ThrowAsync<IOException>(async () => await flow.ReadAsync(new byte[1]).AsTask().WaitAsync(Limit));
        (await ReadUntilAsync(catalog, CatalogEventType.Delete).WaitAsync(Limit))[^1].Service!.Name.ShouldBe("echo");
        var opening = await direct.OpenAsync(new FlowTarget(TransportProtocol.Tcp, "echo.shop.svc", Port), null, default);
        opening.Refusal!.Failure.ShouldBe(FlowFailure.Denied);
        await flow.DisposeAsync();
        far.Dispose();
    }

    [Fact]
    public async Task Service_that_appears_is_in_the_open_catalog()
    {
        using var certificate = await JoinAsync();
        using var client = Client(certificate);
        using var catalog = await FollowCatalogAsync(client);
        cluster.Put("/api/v1/namespaces/shop/services/late", """{"spec":{"clusterIP":"10.96.0.77","ports":[{"port":80}]}}""");
        (await ReadUntilAsync(catalog, CatalogEventType.Put).WaitAsync(Limit))[^1].Service!.Name.ShouldBe("late");
    }

    [Fact]
    public async Task Drain_is_told_in_the_catalog_and_at_readiness_and_new_flows_are_refused()
    {
        using var certificate = await JoinAsync();
        using var client = Client(certificate);
        using var catalog = await FollowCatalogAsync(client);
        await using var direct = Direct(certificate);
        var (flow, far) = await OpenAsync(direct);
        var drained = gateway.DrainAsync(default);
        (await ReadUntilAsync(catalog, CatalogEventType.Draining).WaitAsync(Limit)).ShouldNotBeEmpty();
        using var plain = new HttpClient();
        (await plain.GetAsync($"http://127.0.0.1:{gateway.Ports.Health}/readyz")).StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        (await plain.GetAsync($"http://127.0.0.1:{gateway.Ports.Health}/healthz")).StatusCode.ShouldBe(HttpStatusCode.OK);
        await drained.WaitAsync(Limit);
        await flow.DisposeAsync();
        far.Dispose();
    }

    [Fact]
    public async Task Request_that_makes_no_sense_gets_an_error_that_says_so()
    {
        using var certificate = await JoinAsync();
        using var client = Client(certificate);
        using var stranger = Client(null);
        (await ErrorAsync(await PostAsync(client, GatewayApi.Hello, "{garbage"))).ShouldBe((HttpStatusCode.BadRequest, "request-invalid"));
        (await ErrorAsync(await PostAsync(client, GatewayApi.Hello, """{"protocolVersions":null,"productVersion":"1","capabilities":[]}"""))).ShouldBe((HttpStatusCode.BadRequest, "request-invalid"));
        (await ErrorAsync(await PostAsync(client, GatewayApi.Hello, """{"protocolVersions":[99],"productVersion":"1","capabilities":[]}"""))).ShouldBe((HttpStatusCode.BadRequest, "protocol-unsupported"));
        (await ErrorAsync(await PostAsync(client, GatewayApi.Hello, new string(' ', 100_000)))).ShouldBe((HttpStatusCode.RequestEntityTooLarge, "request-too-large"));
        (await ErrorAsync(await client.GetAsync("/v2/anything"))).ShouldBe((HttpStatusCode.NotFound, "not-found"));
        (await ErrorAsync(await PostAsync(client, GatewayApi.DnsQuery, "short"))).ShouldBe((HttpStatusCode.BadRequest, "request-invalid"));
        (await ErrorAsync(await stranger.GetAsync(GatewayApi.Catalog))).ShouldBe((HttpStatusCode.Unauthorized, "certificate-missing"));
        (await ErrorAsync(await PostAsync(stranger, GatewayApi.Enroll, """{"inviteId":"x","secret":"y","certificateRequest":"z"}"""))).ShouldBe((HttpStatusCode.BadRequest, "certificate-request-invalid"));
        using var foreign = Client(Foreign());
        (await ErrorAsync(await foreign.GetAsync(GatewayApi.Catalog))).ShouldBe((HttpStatusCode.Unauthorized, "certificate-foreign"));
    }

    [Fact]
    public async Task Garbage_on_every_port_harms_nobody()
    {
        foreach (var port in new[] { gateway.Ports.Api, gateway.Ports.Data, gateway.Ports.Health })
        {
            using var garbage = new TcpClient();
            await garbage.ConnectAsync(IPAddress.Loopback, port);
            await garbage.GetStream().WriteAsync(RandomNumberGenerator.GetBytes(20_000));
            garbage.Client.Shutdown(SocketShutdown.Send);
        }

        using var certificate = await JoinAsync();
        await using var direct = Direct(certificate);
        var (flow, far) = await OpenAsync(direct);
        await flow.DisposeAsync();
        far.Dispose();
    }

    [Fact]
    public async Task Strangers_of_one_source_keep_nobody_out_but_themselves()
    {
        using var certificate = await JoinAsync();
        using var member = Client(certificate);
        using var catalog = await FollowCatalogAsync(member);
        var flood = new List<Socket>();
        try
        {
            for (var i = 0; i < 700; i++)
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                flood.Add(socket);
                socket.Bind(new IPEndPoint(IPAddress.Parse("127.0.0.2"), 0));
                try
                {
                    await socket.ConnectAsync(IPAddress.Loopback, gateway.Ports.Api);
                }
                catch (SocketException)
                {
                    // Turned away in this moment.
                }
            }

            // Nothing is said on them, so what can be read is an end.
            await UntilAsync(() => flood.Count(socket => socket.Connected && !socket.Poll(0, SelectMode.SelectRead)) <= 512);
            using var another = await JoinAsync();
            cluster.Put("/api/v1/namespaces/shop/services/late", """{"spec":{"clusterIP":"10.96.0.77","ports":[{"port":80}]}}""");
            (await ReadUntilAsync(catalog, CatalogEventType.Put).WaitAsync(Limit))[^1].Service!.Name.ShouldBe("late");
        }
        finally
        {
            flood.ForEach(socket => socket.Dispose());
        }
    }

    [Fact]
    public async Task Metrics_are_prometheus_text()
    {
        using var plain = new HttpClient();
        var text = await plain.GetStringAsync($"http://127.0.0.1:{gateway.Ports.Health}/metrics");
        text.ShouldContain("# TYPE fairlead_gateway_flows_active gauge\nfairlead_gateway_flows_active 0\n");
        (await plain.GetAsync($"http://127.0.0.1:{gateway.Ports.Health}/v1/authority")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    private void Grant(string ns) => cluster.Put(
        "/apis/fairlead.dev/v1alpha1/namespaces/fairlead/grants/alice", $$"""{"spec":{"subjects":["invite:alice"],"rules":[{"namespaces":["{{ns}}"]}]} }""");

    /// <summary>As a laptop joins: with the token's fingerprint only.</summary>
    private async Task<X509Certificate2> JoinAsync()
    {
        var id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));
        var secret = Invites.Put(cluster, id, DateTimeOffset.UtcNow.AddHours(1));
        var token = new JoinToken("default", gateway.SpaceUid, [new GatewayEndpoint("127.0.0.1", gateway.Ports.Api, gateway.Ports.Data)],
            Convert.ToHexStringLower(SHA256.HashData(authority.RawData)), id, secret, DateTimeOffset.UtcNow.AddHours(1));
        using var client = BootstrapClient.Create(token);
        var answer = await client.PostAsJsonAsync(GatewayApi.Enroll, new EnrollRequest(id, secret, Invites.Request(key)), GatewayJson.Default.EnrollRequest);
        answer.EnsureSuccessStatusCode();
        var issued = (await answer.Content.ReadFromJsonAsync(GatewayJson.Default.CertificateResponse))!;
        return X509Certificate2.CreateFromPem(issued.Certificate).CopyWithPrivateKey(key);
    }

    private DirectCarrier Direct(X509Certificate2 certificate) =>
        new(new DnsEndPoint("127.0.0.1", gateway.Ports.Data), new TunnelTls(gateway.SpaceUid, authority, () => certificate));

    private async Task<(IFlow Flow, Socket Far)> OpenAsync(DirectCarrier direct)
    {
        var opening = await direct.OpenAsync(new FlowTarget(TransportProtocol.Tcp, "echo.shop.svc", Port), null, default);
        opening.Refusal.ShouldBeNull();
        return (opening.Flow!, await service.AcceptSocketAsync().WaitAsync(Limit));
    }

    private HttpClient Client(X509Certificate2? certificate)
    {
        var handler = new SocketsHttpHandler();
        handler.SslOptions.RemoteCertificateValidationCallback = (_, server, _, _) => server is X509Certificate2 c && c.MatchesHostname(GatewayApi.ServerName(gateway.SpaceUid));
        handler.SslOptions.ClientCertificates = certificate is null ? [] : [certificate];
        handler.SslOptions.LocalCertificateSelectionCallback = certificate is null ? null : (_, _, _, _, _) => certificate;
        return new HttpClient(handler) { BaseAddress = new Uri($"https://127.0.0.1:{gateway.Ports.Api}"), DefaultRequestVersion = HttpVersion.Version20, Timeout = Limit };
    }

    private static X509Certificate2 Foreign()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new CertificateRequest("CN=invite:alice", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }

    private static Task<HttpResponseMessage> PostAsync(HttpClient client, string path, string body) => client.PostAsync(path, new StringContent(body));

    private static async Task<(HttpStatusCode, string)> ErrorAsync(HttpResponseMessage answer) =>
        (answer.StatusCode, JsonSerializer.Deserialize(await answer.Content.ReadAsStringAsync(), GatewayJson.Default.ErrorResponse)!.Error.Code);

    /// <summary>The catalog's stream once all that there is was read from it.</summary>
    private static async Task<StreamReader> FollowCatalogAsync(HttpClient client)
    {
        var catalog = new StreamReader(await client.GetStreamAsync(GatewayApi.Catalog));
        await ReadUntilAsync(catalog, CatalogEventType.Synced);
        return catalog;
    }

    private static async Task<List<CatalogEvent>> ReadUntilAsync(StreamReader catalog, CatalogEventType type)
    {
        var events = new List<CatalogEvent>();
        do
        {
            var line = await catalog.ReadLineAsync() ?? throw new EndOfStreamException();
            events.Add(JsonSerializer.Deserialize(line, GatewayJson.Default.CatalogEvent)!);
        }
        while (events[^1].Type != type);
        return events;
    }
}
