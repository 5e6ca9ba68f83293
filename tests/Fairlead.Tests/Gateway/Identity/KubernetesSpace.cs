using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Fairlead.Companion.Administration;
using Fairlead.Contracts.Administration;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway;
using Fairlead.Kubernetes;
using Fairlead.Tests.Sandbox.ApiServer.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Gateway.Identity;

/// <summary>The sandbox's API server with the gateway's manifests in it, and a gateway in this process that has the rights of its service account and no others.</summary>
public sealed class KubernetesSpace : IAsyncLifetime
{
    private readonly RunningServer server = new();
    private readonly List<string> files = [];
    private GatewayHost gateway = null!;
    private KubernetesClient own = null!;

    internal KubernetesClient Admin { get; private set; } = null!;

    internal SpaceAdministration Administration { get; } = new();

    internal ClusterSelection AdminCluster { get; private set; } = null!;

    internal GatewayHost Gateway => gateway;

    internal RunningServer Server => server;

    public async ValueTask InitializeAsync()
    {
        await server.InitializeAsync();
        Admin = new KubernetesClient(Connection(server.Server.AdminKubeconfig));
        AdminCluster = new ClusterSelection(files[^1], null);
        var manifests = await Administration.RenderGatewayAsync(AdminCluster, new GatewayInstallOptions(GatewayValueInputs.None), CancellationToken.None);
        foreach (var value in manifests.Where(o => o["kind"]!.GetValue<string>() is not ("Deployment" or "PodDisruptionBudget")))
        {
            await Admin.ApplyAsync(value, "test", force: true, CancellationToken.None);
        }

        foreach (var ns in new[] { "shop", "other" })
        {
            await ApplyAsync($$"""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"{{ns}}"} }""");
            await ApplyAsync($$"""{"apiVersion":"v1","kind":"Service","metadata":{"name":"echo","namespace":"{{ns}}"},"spec":{"ports":[{"port":80}]} }""");
        }

        var token = await Admin.CreateTokenAsync("fairlead", "fairlead-gateway", [], TimeSpan.FromHours(1));
        own = new KubernetesClient(Admin.Connection with { BearerToken = token.Token, Namespace = "fairlead" });
        gateway = await GatewayHost.StartAsync(
            new GatewayOptions
            {
                Address = IPAddress.Loopback, ApiPort = 0, DataPort = 0, HealthPort = 0, SpaceName = "team",
                Endpoints = [new GatewayEndpoint("gw.example.com", 443, 444)], ResolverConfiguration = "/nonexistent",
            },
            own, TimeProvider.System, NullLoggerFactory.Instance, CancellationToken.None);
        while (gateway.NotReady() is not null)
        {
            await Task.Delay(5);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await gateway.DisposeAsync();
        own.Dispose();
        Admin.Dispose();
        await server.DisposeAsync();
        files.ForEach(File.Delete);
    }

    internal Task ApplyAsync(string json) => Admin.ApplyAsync(JsonNode.Parse(json)!.AsObject(), "test", force: true, CancellationToken.None);

    /// <summary>A user of the cluster who may ask for certificates.</summary>
    internal async Task<ClusterConnection> UserAsync(string name, params string[] groups)
    {
        await ApplyAsync($$"""
            {"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"user-{{name}}"},
             "roleRef":{"kind":"ClusterRole","name":"fairlead-user","apiGroup":"rbac.authorization.k8s.io"},"subjects":[{"kind":"User","name":"{{name}}"}]}
            """);
        return Stranger(name, groups);
    }

    internal ClusterConnection Stranger(string name, params string[] groups) => Connection(server.Server.KubeconfigFor(name, groups));

    internal Task LetConsumeAsync(string user, string ns) => ApplyAsync($$"""
        {"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"consumer-{{user}}","namespace":"{{ns}}"},
         "roleRef":{"kind":"ClusterRole","name":"fairlead-consumer","apiGroup":"rbac.authorization.k8s.io"},"subjects":[{"kind":"User","name":"{{user}}"}]}
        """);

    /// <summary>A client of the gateway with what an enrolment gave.</summary>
    internal HttpClient Client(string certificate, string authority, ECDsa key)
    {
        var handler = new SocketsHttpHandler();
        handler.ConnectCallback = async (_, cancellationToken) =>
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(IPAddress.Loopback, gateway.Ports.Api, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        };
        handler.SslOptions.ClientCertificates = [X509Certificate2.CreateFromPem(certificate).CopyWithPrivateKey(key)];
        handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            CustomTrustStore = { X509Certificate2.CreateFromPem(authority) },
        };
        return new HttpClient(handler)
        {
            BaseAddress = new Uri($"https://{GatewayApi.ServerName(gateway.SpaceUid)}"),
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
    }

    private ClusterConnection Connection(string kubeconfig)
    {
        var file = Path.GetTempFileName();
        files.Add(file);
        File.WriteAllText(file, kubeconfig);
        return KubeConfig.Load(file);
    }
}
