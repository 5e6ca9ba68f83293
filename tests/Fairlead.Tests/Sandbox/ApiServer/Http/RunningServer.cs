using System.Net;
using System.Net.Http.Headers;
using System.Net.WebSockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.ApiServer.Storage;

namespace Fairlead.Tests.Sandbox.ApiServer.Http;

/// <summary>A real server on a port of the kernel's choice, and clients of it. Each test uses a namespace of its own.</summary>
public sealed class RunningServer : IAsyncLifetime
{
    private readonly KubeApiServer server;
    private HttpClient admin = null!;
    private int namespaces;

    public RunningServer() =>
        server = new KubeApiServer(new ApiServerOptions { Listen = new IPEndPoint(IPAddress.Loopback, 0) }, Store, new FakeNode());

    internal IObjectStore Store { get; } = new ObjectStore();

    internal KubeApiServer Server => server;

    public async ValueTask InitializeAsync()
    {
        await server.StartAsync(TestContext.Current.CancellationToken);
        admin = ClientOf(server.AdminKubeconfig);
    }

    public async ValueTask DisposeAsync()
    {
        admin.Dispose();
        await server.StopAsync(CancellationToken.None);
        await server.DisposeAsync();
    }

    internal async Task<string> NewNamespaceAsync()
    {
        var name = $"test-{Interlocked.Increment(ref namespaces)}";
        await SendAsync("POST", "/api/v1/namespaces", new JsonObject { ["metadata"] = new JsonObject { ["name"] = name } }.ToJsonString());
        return name;
    }

    internal async Task<(int Code, JsonObject Body)> SendAsync(
        string method, string path, string? body = null, string type = "application/json", string? accept = null, HttpClient? client = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (body is not null)
        {
            request.Content = new StringContent(body, Encoding.UTF8);
            request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        }

        if (accept is not null)
        {
            request.Headers.TryAddWithoutValidation("Accept", accept);
        }

        using var response = await (client ?? admin).SendAsync(request, TestContext.Current.CancellationToken);
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return ((int)response.StatusCode, JsonNode.Parse(text)!.AsObject());
    }

    internal async Task<StreamReader> OpenAsync(string path) =>
        new(await admin.GetStreamAsync(path, TestContext.Current.CancellationToken));

    internal HttpClient ClientWithToken(string? token)
    {
        var client = NewClient(certificate: null);
        client.DefaultRequestHeaders.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        return client;
    }

    /// <summary>A client with the certificate of a kubeconfig.</summary>
    internal HttpClient ClientOf(string kubeconfig) => NewClient(CertificateOf(kubeconfig));

    internal async Task<ClientWebSocket> ConnectAsync(string path, string protocol)
    {
        var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol(protocol);
        await socket.ConnectAsync(new Uri($"wss://{server.Endpoint}{path}"), new HttpMessageInvoker(NewHandler(CertificateOf(server.AdminKubeconfig))), TestContext.Current.CancellationToken);
        return socket;
    }

    private HttpClient NewClient(X509Certificate2? certificate) =>
        new(NewHandler(certificate)) { BaseAddress = new Uri($"https://{server.Endpoint}") };

    private SocketsHttpHandler NewHandler(X509Certificate2? certificate)
    {
        var handler = new SocketsHttpHandler();
        var authority = X509Certificate2.CreateFromPem(server.AuthorityPem);
        handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            CustomTrustStore = { authority },
        };
        if (certificate is not null)
        {
            handler.SslOptions.ClientCertificates = [certificate];
        }

        return handler;
    }

    private static X509Certificate2 CertificateOf(string kubeconfig) =>
        X509Certificate2.CreateFromPem(Decode(kubeconfig, "client-certificate-data"), Decode(kubeconfig, "client-key-data"));

    private static string Decode(string kubeconfig, string key)
    {
        var line = kubeconfig.Split('\n').Single(line => line.Trim().StartsWith($"{key}:"));
        return Encoding.ASCII.GetString(Convert.FromBase64String(line.Split(": ")[1].Trim()));
    }
}
