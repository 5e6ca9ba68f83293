using System.Collections.Frozen;
using System.Net;
using System.Net.NetworkInformation;
using System.Reflection;
using System.Security.Cryptography;
using Fairlead.Contracts.Gateway;
using Fairlead.Dns.Client;
using Fairlead.Gateway.Api;
using Fairlead.Gateway.Catalog;
using Fairlead.Gateway.Cluster;
using Fairlead.Gateway.Dial;
using Fairlead.Gateway.Dns;
using Fairlead.Gateway.Exits;
using Fairlead.Gateway.Health;
using Fairlead.Gateway.Identity;
using Fairlead.Gateway.Policy;
using Fairlead.Kubernetes;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Direct;
using Microsoft.Extensions.Logging;

namespace Fairlead.Gateway;

/// <summary>One replica: composes the parts, owns their tasks, and ends them in order.</summary>
internal sealed partial class GatewayHost : IAsyncDisposable
{
    private readonly ClusterWatch clusterWatch;
    private readonly SpacePublisher publisher;
    private readonly NetworkKeeper network;
    private readonly GatewayMetrics metrics = new();
    private readonly PrometheusText prometheus;
    private readonly SpaceAuthority authority;
    private readonly Revocations revocations = new();
    private readonly AccessReviews reviews;
    private readonly Grants grants;
    private readonly ClientSettings settings = new();
    private readonly CatalogFeed feed;
    private readonly KubernetesEnrolment accounts;
    private readonly Diagnosis diagnosis;
    private readonly FlowServer flows;
    private readonly DirectCarrierServer direct;
    private readonly ExitTable exits;
    private readonly ApiEndpoints endpoints;
    private readonly WebServer web;
    private readonly GatewayOptions options;
    private readonly ILogger<GatewayHost> logger;
    private readonly CancellationTokenSource stop = new();

    /// <summary>Ends before the rest: a replica that drains may be of older settings than those that stay, and must not write over what they publish.</summary>
    private readonly CancellationTokenSource publishing;
    private Task running = Task.CompletedTask;
    private volatile bool draining;
    private volatile IReadOnlyList<string> pods = [];

    private GatewayHost(GatewayOptions gatewayOptions, KubernetesClient client, SpaceAuthority spaceAuthority, TimeProvider time, ILoggerFactory loggers)
    {
        options = gatewayOptions;
        authority = spaceAuthority;
        logger = loggers.CreateLogger<GatewayHost>();
        publishing = CancellationTokenSource.CreateLinkedTokenSource(stop.Token);
        var resolver = ReadResolver(options.ResolverConfiguration);
        var domain = options.ClusterDomain ?? resolver.ClusterDomain;
        var cluster = new ClusterState(client.Connection.Namespace, options.Namespaces.Count > 0);
        reviews = new AccessReviews(client.ReviewAccessAsync, () => cluster.Namespaces, InUse, time, loggers.CreateLogger<AccessReviews>());
        grants = new Grants(reviews);
        clusterWatch = new ClusterWatch(client, cluster, options.Namespaces, grants, revocations, settings, loggers.CreateLogger<ClusterWatch>());
        publisher = new SpacePublisher(client, cluster, options.SpaceName, authority.SpaceUid, authority.CertificatePem, options.Endpoints, options.Ingress, loggers.CreateLogger<SpacePublisher>());
        network = new NetworkKeeper(
            cluster,
            new ServiceRangeReader(client, loggers.CreateLogger<ServiceRangeReader>()).ReadAsync,
            options.ServiceSubnets,
            options.PodSubnets,
            domain,
            resolver.Server?.Address,
            time,
            loggers.CreateLogger<NetworkKeeper>());
        var server = new ServerCertificate(authority, options.Pod, time);
        var certificates = new ClientCertificates(authority, revocations, time);
        var judge = new AddressJudge(cluster, OwnAddresses());
        var planner = new FlowPlanner(cluster, judge);
        var workloads = new Workloads(client, options.AgentNamespaces.ToHashSet());
        var agents = new AgentEnrolment(authority, time, loggers.CreateLogger<AgentEnrolment>());
        exits = new ExitTable(
            workloads, new ExitPlacer(client, options.Pod, pod => TokenOf(pod, agents.Expect(pod)), time, loggers.CreateLogger<ExitPlacer>()), time, loggers.CreateLogger<ExitTable>());
        var dialer = new Dialer(planner, ResolveAsync, time, exits);
        diagnosis = new Diagnosis(cluster, grants, dialer, time);
        flows = new FlowServer(planner, grants, revocations, dialer, metrics, time, loggers.CreateLogger<FlowServer>());
        feed = new CatalogFeed(cluster);
        var instance = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
        var version = typeof(GatewayHost).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";
        var space = new SpaceFacts(options.SpaceName, authority.SpaceUid, authority.CertificatePem, domain, instance, version);
        var dns = new DnsForwarder(resolver.Server, domain, cluster.GatewayService, judge.MayKnow, grants.Of, new DnsClient(), loggers.CreateLogger<DnsForwarder>());
        var enrolment = new Enrolment(client, authority, new EnrolmentLimiter(time), time, loggers.CreateLogger<Enrolment>());
        accounts = new KubernetesEnrolment(client, authority, grants, FactsFor, metrics, time, loggers.CreateLogger<KubernetesEnrolment>());
        endpoints = new ApiEndpoints(
            space, () => new GatewayReach(publisher.Endpoints, pods, network.Current), certificates, enrolment, grants, settings, feed, dns, workloads, agents, diagnosis, metrics, () => draining, time);
        prometheus = new PrometheusText(GatewayMetrics.MeterName);
        web = new WebServer(options, endpoints, new HealthEndpoints(NotReady, prometheus, () => Describe(space)), certificates, authority, () => server.Current, flows, () => direct!, NotReady, loggers);
        direct = new DirectCarrierServer(
            new DirectCarrierServerOptions
            {
                EndPoint = new IPEndPoint(options.Address, options.DataPort),
                AlsoLoopback = !IPAddress.IsLoopback(options.Address) && !options.Address.Equals(IPAddress.Any) && !options.Address.Equals(IPAddress.IPv6Any),
                Unavailable = NotReady,
                Certificate = () => server.Current,
                Identify = certificates.Identify,
                ServeExit = (certificate, exit, token) => certificates.IdentifyAgent(certificate) is { } pod ? exits.ServeAsync(pod, exit, token) : Task.CompletedTask,
            },
            flows,
            loggers.CreateLogger<DirectCarrierServer>(),
            time);

        cluster.ServiceChanged = key =>
        {
            feed.Update(key);
            if (key == cluster.GatewayService)
            {
                publisher.Wake();
                SetPods([.. cluster.SlicesOf(key).SelectMany(slice => slice.Endpoints).Where(e => e.Ready).Select(e => e.Pod?.Name).OfType<string>().Distinct().Order(StringComparer.Ordinal)]);
            }
        };
        cluster.ReachChanged = publisher.Wake;
        cluster.AddressesChanged = network.Wake;
        network.Changed = feed.Wake;
        publisher.Changed = feed.Wake;
        cluster.NamespacesChanged = reviews.NamespaceAppeared;
        grants.Changed = () =>
        {
            feed.Wake();
            flows.Reconsider();
        };
        reviews.Changed = grants.Changed;
        revocations.Changed = EndRevoked;
        settings.Changed = feed.Wake;

        EnrolmentFacts FactsFor() => new(
            [.. Enumerable.Range(GatewayApi.OldestProtocolVersion, GatewayApi.ProtocolVersion - GatewayApi.OldestProtocolVersion + 1)],
            options.SpaceName,
            authority.SpaceUid,
            publisher.Endpoints,
            client.Connection.Namespace,
            [.. cluster.Gateways.Select(pod => pod.Key.Name).Order(StringComparer.Ordinal)],
            Ports.Api,
            Ports.Data);
        JoinToken TokenOf(ExitPod pod, string nonce) => new(
            options.SpaceName,
            authority.SpaceUid,
            [new GatewayEndpoint(options.Address.ToString(), Ports.Api, Ports.Data)],
            Convert.ToHexStringLower(SHA256.HashData(authority.Certificate.RawData)),
            pod.Uid,
            nonce,
            time.GetUtcNow() + AgentEnrolment.NonceLifetime);
        Observe();
    }

    public string SpaceUid => authority.SpaceUid;

    /// <summary>Where the API, the direct carrier and health listen.</summary>
    public (int Api, int Data, int Health) Ports => (web.Ports.Api, direct.EndPoint.Port, web.Ports.Health);

    /// <summary>Ends when the gateway can't go on; until then it is running.</summary>
    public Task Completion => running;

    /// <summary>Loads or makes the space's authority, binds the listeners and begins to watch. Ready once <see cref="NotReady"/> is null.</summary>
    public static async Task<GatewayHost> StartAsync(GatewayOptions options, KubernetesClient client, TimeProvider time, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var authority = await AuthorityStore.LoadOrCreateAsync(client, time, cancellationToken);
        var gateway = new GatewayHost(options, client, authority, time, loggers);
        try
        {
            gateway.running = Task.WhenAll(gateway.clusterWatch.RunAsync(gateway.stop.Token), gateway.PublishAsync(gateway.publishing.Token));
            await gateway.web.StartAsync(cancellationToken);
            gateway.direct.Start();
            var memory = new SettledMemory(() => gateway.direct.Connections + gateway.web.Connections.Count, time, loggers.CreateLogger<SettledMemory>());
            gateway.running = Task.WhenAll(gateway.running, gateway.AdmitAccountsAsync(gateway.stop.Token), memory.RunAsync(gateway.stop.Token));
            gateway.LogStarted(authority.SpaceUid, gateway.Ports.Api, gateway.Ports.Data, gateway.Ports.Health);
            return gateway;
        }
        catch
        {
            await gateway.DisposeAsync();
            throw;
        }
    }

    /// <summary>Null when requests should come here.</summary>
    public string? NotReady() => draining ? "draining" : clusterWatch.Synced.IsCompletedSuccessfully ? null : "the cluster is not known yet";

    /// <summary>Stops taking flows, tells clients to go elsewhere, and gives the open flows their time.</summary>
    public async Task DrainAsync(CancellationToken cancellationToken)
    {
        draining = true;
        await publishing.CancelAsync();
        feed.Wake();
        LogDraining(flows.Flows.Count);
        await Task.WhenAll(flows.DrainAsync(options.DrainGrace, cancellationToken), direct.DrainAsync(options.DrainGrace, cancellationToken));
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // Connections inside WebSockets are of both.
        await direct.DisposeAsync();
        await web.DisposeAsync();
        await exits.DisposeAsync();
        diagnosis.Dispose();
        prometheus.Dispose();
        metrics.Dispose();
        authority.Dispose();
        publishing.Dispose();
        stop.Dispose();
    }

    private ReplicaStatus Describe(SpaceFacts space) => new(
        space.ProductVersion,
        space.Instance,
        [.. endpoints.Watches.All.GroupBy(w => w.Peer.Subject).Select(g => new ConnectedPerson(g.Key, g.Count())).OrderBy(p => p.Subject, StringComparer.Ordinal)],
        flows.Flows.Count,
        NotReady());

    /// <summary>Those that are ready, this one or not: laptops hold tunnels to two of them.</summary>
    private void SetPods(IReadOnlyList<string> ready)
    {
        if (!ready.SequenceEqual(pods))
        {
            pods = ready;
            feed.Wake();
        }
    }

    private async Task PublishAsync(CancellationToken cancellationToken)
    {
        await clusterWatch.Synced.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        try
        {
            await Task.WhenAll(publisher.RunAsync(cancellationToken), network.RunAsync(cancellationToken));
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The gateway ends.
        }
    }

    /// <summary>Not before the cluster is known: until then nobody seems to have a right.</summary>
    private async Task AdmitAccountsAsync(CancellationToken cancellationToken)
    {
        await clusterWatch.Synced.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.WhenAll(reviews.RunAsync(cancellationToken), accounts.RunAsync(cancellationToken));
    }

    private IEnumerable<PeerIdentity> InUse() => flows.Flows.All.Concat(endpoints.Watches.All).Select(session => session.Peer);

    /// <summary>Everything of a revoked subject ends now: connections (and so streams and flows in them), flows, and the direct carrier's connections.</summary>
    private void EndRevoked()
    {
        var ended = flows.Flows.End(revocations.IsRevoked) + endpoints.Watches.End(revocations.IsRevoked) + web.Connections.End(revocations.IsRevoked) + direct.Close(revocations.IsRevoked);
        if (ended > 0)
        {
            LogRevoked(ended);
        }
    }

    private void Observe()
    {
        metrics.Observe("fairlead.gateway.flows.active", "{flow}", "Flows that are open", () => flows.Flows.Count);
        metrics.Observe("fairlead.gateway.connections.active", "{connection}", "HTTP connections of known callers", () => web.Connections.Count);
        metrics.Observe("fairlead.gateway.carrier.connections.active", "{connection}", "Connections of the direct carrier", () => direct.Connections);
        metrics.Observe("fairlead.gateway.catalog.watches.active", "{watch}", "Open catalog streams", () => endpoints.Watches.Count);
        metrics.Observe("fairlead.gateway.catalog.services", "{service}", "Services in the catalog", () => feed.Snapshot().Services.Count);
        metrics.Observe("fairlead.gateway.agents.active", "{agent}", "Agents that are connected here", () => exits.Count);
        metrics.ObserveTotal("fairlead.gateway.flow.received", "By", "Bytes from laptops to services", () => flows.Counters.BytesToSocket);
        metrics.ObserveTotal("fairlead.gateway.flow.sent", "By", "Bytes from services to laptops", () => flows.Counters.BytesFromSocket);
    }

    private static ResolverConfiguration ReadResolver(string path) => ResolverConfiguration.Parse(File.Exists(path) ? File.ReadAllLines(path) : []);

    /// <summary>Absolute (the final dot), so that no search suffix is tried.</summary>
    private static Task<IPAddress[]> ResolveAsync(string name, CancellationToken cancellationToken) =>
        IPAddress.TryParse(name, out var literal) ? Task.FromResult<IPAddress[]>([literal]) : System.Net.Dns.GetHostAddressesAsync(name.TrimEnd('.') + ".", cancellationToken);

    private static FrozenSet<IPAddress> OwnAddresses() =>
        NetworkInterface.GetAllNetworkInterfaces().SelectMany(i => i.GetIPProperties().UnicastAddresses).Select(a => a.Address).ToFrozenSet();

    [LoggerMessage(1501, LogLevel.Information, "gateway of space {Space}: API on {Api}, data on {Data}, health on {Health}")]
    private partial void LogStarted(string space, int api, int data, int health);

    [LoggerMessage(1502, LogLevel.Information, "draining: {Flows} flows are open")]
    private partial void LogDraining(int flows);

    [LoggerMessage(1503, LogLevel.Warning, "revoked: {Count} connections, streams and flows ended")]
    private partial void LogRevoked(int count);
}
