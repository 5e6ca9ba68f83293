using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Access;
using Fairlead.Sandbox.ApiServer.Admission;
using Fairlead.Sandbox.ApiServer.CustomResources;
using Fairlead.Sandbox.ApiServer.Discovery;
using Fairlead.Sandbox.ApiServer.Http;
using Fairlead.Sandbox.ApiServer.Kinds;
using Fairlead.Sandbox.ApiServer.Streaming;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Sandbox.ApiServer;

/// <summary>
/// The API server of the embedded cluster: HTTPS in front of an <see cref="IObjectStore"/>, with a certificate authority of its own. It
/// owns neither the store nor the node.
/// </summary>
public sealed class KubeApiServer : IAsyncDisposable
{
    private readonly ApiServerOptions options;
    private readonly ILoggerFactory loggers;
    private readonly IObjectStore store;
    private readonly ClusterCertificates certificates;
    private readonly TokenIssuer tokens;
    private readonly NamespaceAdmission namespaces;
    private readonly ObjectWriter writer;
    private readonly Dispatcher dispatcher;
    private readonly X509Certificate2 serving;
    private readonly X509Certificate2 admin;
    private readonly CancellationTokenSource stopping = new();
    private readonly TaskCompletionSource ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private WebApplication? application;

    /// <summary>Makes the cluster's keys and certificates; nothing listens before <see cref="StartAsync"/>.</summary>
    public KubeApiServer(ApiServerOptions options, IObjectStore store, INodeAgent node, ILoggerFactory? loggers = null, TimeProvider? time = null)
    {
        this.options = options;
        this.store = store;
        this.loggers = loggers ?? NullLoggerFactory.Instance;
        time ??= TimeProvider.System;
        certificates = new ClusterCertificates(time);
        tokens = new TokenIssuer(store, time);
        serving = certificates.IssueServer(
            ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost", "127.0.0.1",
             ServiceAddress(options).ToString(), options.Listen.Address.ToString(), .. options.ServerNames]);
        admin = certificates.IssueClient("kubernetes-admin", User.MastersGroup);

        var kinds = new KindTable(store);
        var authorizer = new Authorizer(store);
        namespaces = new NamespaceAdmission(store, certificates.AuthorityPem);
        writer = new ObjectWriter(
            store,
            namespaces,
            new ServiceAllocator(store, options.Services),
            new ServiceAccountAdmission(store),
            new CertificateAdmission(authorizer, time),
            new DefinitionLifecycle(store, time),
            time);
        var reads = new ReadHandler(store, time, stopping.Token);
        var writes = new WriteHandler(store, writer, time);
        dispatcher = new Dispatcher(
            new Authenticator(certificates, tokens),
            authorizer,
            kinds,
            reads,
            writes,
            new SubresourceHandler(
                store,
                reads,
                writes,
                new ScaleHandler(reads, writer, time),
                new TokenHandler(store, tokens),
                new EvictionHandler(store, writer),
                new PodStreams(node, stopping.Token)),
            new ReviewHandler(authorizer, tokens),
            new DiscoveryHandler(kinds),
            this.loggers.CreateLogger<KubeApiServer>());
        Objects = new AdmittedStore(store, kinds, writer);
    }

    /// <summary>The store for controllers: creating goes through defaults, admission and validation, all else goes straight to the store.</summary>
    public IObjectStore Objects { get; }

    /// <summary>Where it listens, once started.</summary>
    public IPEndPoint Endpoint { get; private set; } = new(IPAddress.None, 0);

    /// <summary>The cluster's CA, PEM.</summary>
    public string AuthorityPem => certificates.AuthorityPem;

    /// <summary>A kubeconfig (YAML) with an admin's client certificate, for <see cref="Endpoint"/>.</summary>
    public string AdminKubeconfig => certificates.Kubeconfig(new Uri($"https://{Endpoint}"), admin);

    /// <summary>A kubeconfig for another user of the cluster, as its certificate says (CN and O).</summary>
    public string KubeconfigFor(string user, params IReadOnlyList<string> groups)
    {
        using var client = certificates.IssueClient(user, groups);
        return certificates.Kubeconfig(new Uri($"https://{Endpoint}"), client);
    }

    /// <summary>A token of a pod's service account, bound to the pod, as the kubelet mounts it.</summary>
    /// <exception cref="StatusException">404: the pod or its account is gone.</exception>
    public (string Token, DateTimeOffset Expires) IssueToken(string @namespace, string podName, IReadOnlyList<string> audiences, TimeSpan lifetime)
    {
        var pod = store.Get(BuiltInKinds.Pods, @namespace, podName) ?? throw Failures.NotFound(BuiltInKinds.Pods, podName);
        var accountName = pod.Text("spec", "serviceAccountName") ?? "default";
        var account = store.Get(BuiltInKinds.ServiceAccounts, @namespace, accountName)
            ?? throw Failures.NotFound(BuiltInKinds.ServiceAccounts, accountName);
        return tokens.Issue(account, pod, audiences, lifetime);
    }

    /// <summary>Creates what every cluster begins with (namespaces, roles, the service <c>kubernetes</c>) and listens.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(loggers);
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(Configure);
        application = builder.Build();
        application.UseWebSockets(new WebSocketOptions { KeepAliveInterval = TimeSpan.FromSeconds(30) });
        application.Run(async context =>
        {
            await ready.Task.WaitAsync(context.RequestAborted); // No client sees the cluster half made.
            await dispatcher.HandleAsync(context);
        });
        await application.StartAsync(cancellationToken);
        var address = new Uri(application.Urls.Single());
        Endpoint = new IPEndPoint(options.Listen.Address, address.Port);
        new ClusterBootstrap(store, writer, namespaces).Run(Endpoint, ServiceAddress(options));
        ready.SetResult();
    }

    /// <summary>Ends watches and streams, lets other requests finish.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await stopping.CancelAsync();
        if (application is not null)
        {
            await application.StopAsync(cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        if (application is not null)
        {
            await application.DisposeAsync();
        }

        stopping.Dispose();
        serving.Dispose();
        admin.Dispose();
        tokens.Dispose();
        certificates.Dispose();
    }

    private void Configure(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        // Beyond what is taken, so that a client whose body is somewhat too large reads the answer and not a reset.
        kestrel.Limits.MaxRequestBodySize = 4 * RequestBody.SizeLimit;
        // A watch may be silent for minutes, a log may be read slowly: no rate is too low.
        kestrel.Limits.MinResponseDataRate = null;
        kestrel.Limits.Http2.MaxStreamsPerConnection = 250; // As kube-apiserver: a client's watches share one connection.
        kestrel.Listen(options.Listen, listen => listen.UseHttps(https =>
        {
            https.ServerCertificate = serving;
            https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
            // A certificate that isn't good is answered with 401, as the real server does, not with a failed handshake.
            https.AllowAnyClientCertificate();
        }));
    }

    /// <summary>The first address of the service network is that of the service <c>kubernetes</c>.</summary>
    private static IPAddress ServiceAddress(ApiServerOptions options)
    {
        var bytes = options.Services.Addresses.BaseAddress.GetAddressBytes();
        bytes[3]++;
        return new IPAddress(bytes);
    }
}
