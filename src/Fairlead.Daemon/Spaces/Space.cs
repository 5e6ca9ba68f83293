using System.Collections.Frozen;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Companions;
using Fairlead.Daemon.Flows;
using Fairlead.Daemon.Names;
using Fairlead.Daemon.Settings;
using Fairlead.Tunnel.Relay;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Spaces;

/// <summary>
/// A joined space while the daemon runs. Owns its link, the tasks that follow the catalog and renew the certificate, and the certificates.
/// What it is told to keep, it stores before it takes it over.
/// </summary>
internal sealed partial class Space : IAsyncDisposable
{
    /// <summary>Of the gateway; more than anybody runs.</summary>
    private const int MaxPods = 64;

    private readonly SpaceStore store;
    private readonly ILinks links;
    private readonly CancellationTokenSource stopping = new();
    private readonly ILogger logger;

    // The follower and the renewal change the record, each its part.
    private readonly Lock recordGate = new();
    private readonly CatalogFollower follower;
    private readonly CertificateRenewal renewal;
    private readonly GatewayRediscovery rediscovery;
    private readonly CatalogKeeper keeper;
    private X509Certificate2 certificate;
    private Task running = Task.CompletedTask;

    /// <param name="catalog">Of the same space before it was joined again, or before the daemon was started again, so that its names stay.</param>
    public Space(StoredSpace stored, Catalog? catalog, SpaceStore store, ILinks links, ICompanions companions, Signal changed, TimeProvider time, ILoggerFactory loggers)
    {
        this.store = store;
        this.links = links;
        logger = loggers.CreateLogger<Space>();
        Catalog = catalog ?? new Catalog();
        Changed = changed;
        Record = stored.Record;
        Settings = stored.Settings;
        Rules = RuleSet.Parse(stored.Settings.Rules);
        certificate = stored.Certificate;
        CertificateExpires = ExpiryOf(certificate);
        Authority = X509Certificate2.CreateFromPem(stored.Record.Authority);
        Link = links.Create(stored.Record, Authority, () => Volatile.Read(ref certificate));
        Link.Changed += _ => changed.Pulse();
        Clock = new GatewayClock(time);
        Troubles = new FlowTroubles(time);
        follower = new CatalogFollower(this, time, loggers.CreateLogger<CatalogFollower>());
        renewal = new CertificateRenewal(this, companions, time, loggers.CreateLogger<CertificateRenewal>());
        rediscovery = new GatewayRediscovery(this, renewal, companions, time, loggers.CreateLogger<GatewayRediscovery>());
        keeper = new CatalogKeeper(this, store, time, loggers.CreateLogger<CatalogKeeper>());
    }

    public SpaceRecord Record { get; private set; }

    public string Key => Record.Key;

    public SpaceSettings Settings { get; private set; }

    public RuleSet Rules { get; private set; }

    public X509Certificate2 Authority { get; }

    public DateTimeOffset CertificateExpires { get; private set; }

    public ISpaceLink Link { get; }

    public Catalog Catalog { get; }

    public GatewayClock Clock { get; }

    public FlowCounters Counters { get; } = new();

    public FlowTroubles Troubles { get; }

    /// <summary>What the gateway said when it was last greeted.</summary>
    public HelloResponse? Hello { get; private set; }

    /// <summary>The cluster's subnets as the gateway last told them; null until it did, and from a gateway that doesn't.</summary>
    public ClusterNetwork? Network { get; private set; }

    /// <summary>What the space's admin sets for every client, as far as it makes sense (<see cref="DaemonSettings.Accept"/>).</summary>
    public IReadOnlyDictionary<string, string> GatewaySettings { get; private set; } = FrozenDictionary<string, string>.Empty;

    /// <summary>Pulsed when anything that <see cref="Describe"/> or the plan shows changed.</summary>
    public Signal Changed { get; }

    public void Start()
    {
        Link.Start();
        running = Task.WhenAll(follower.RunAsync(stopping.Token), renewal.RunAsync(stopping.Token), rediscovery.RunAsync(stopping.Token), keeper.RunAsync(stopping.Token));
    }

    /// <summary>Before <see cref="Start"/>: renews a certificate that has run out, so that the gateway isn't greeted with it.</summary>
    /// <exception cref="FairleadException">It could not be renewed.</exception>
    public Task RenewIfExpiredAsync(CancellationToken cancellationToken) => renewal.RenewIfExpiredAsync(cancellationToken);

    /// <summary>The gateway's API with a certificate that has run out. The caller disposes it.</summary>
    public HttpClient CreateRenewalClient() => links.CreateRenewal(Record, Authority, Volatile.Read(ref certificate));

    public void SetSettings(SpaceSettings settings, RuleSet rules)
    {
        store.SaveSettings(Record, settings);
        Settings = settings;
        Rules = rules;
        Changed.Pulse();
    }

    /// <summary>Whether the catalog is to hold the addresses of services (<see cref="ServiceRecord.Addresses"/>): a space that is only consumed needs none.</summary>
    public void AskForAddresses(bool wanted) => follower.AskForAddresses(wanted);

    /// <summary>Takes over what the gateway says of itself.</summary>
    public void SetHello(HelloResponse hello)
    {
        Hello = hello;
        Network = hello.Network is { } network && IsUsable(network) ? network : null;
        var pods = hello.Pods is { Count: > 0 and <= MaxPods } told ? told : null;
        lock (recordGate)
        {
            var record = Record with
            {
                ClusterDomain = ServiceNames.IsDomain(hello.ClusterDomain) ? hello.ClusterDomain : Record.ClusterDomain,
                Endpoints = hello.Endpoints.Count is > 0 and <= 16 ? hello.Endpoints : Record.Endpoints,
                Pods = pods is not null && Record.Pods is { } known && !pods.SequenceEqual(known.Names) ? known with { Names = pods } : Record.Pods,
            };
            if (pods is not null)
            {
                Link.SetPods(pods);
            }

            if (record.ClusterDomain != Record.ClusterDomain || !record.Endpoints.SequenceEqual(Record.Endpoints) || record.Pods != Record.Pods)
            {
                Record = record;
                Link.SetEndpoints(record.Endpoints);
                SaveRecord();
            }
        }

        Changed.Pulse();
    }

    /// <summary>Takes over what the space's admin sets for every client.</summary>
    public void SetGatewaySettings(IReadOnlyDictionary<string, string> told)
    {
        GatewaySettings = DaemonSettings.Accept(told, (key, reason) => LogSettingRefused(Record.Name, key, reason));
        Changed.Pulse();
    }

    /// <summary>Takes over a new certificate: connections in use stay, new ones prove themselves with it.</summary>
    public void SetCertificate(Enrolled enrolled)
    {
        lock (recordGate)
        {
            store.SaveIdentity(Record, enrolled.Certificate);
            Record = Record with { RenewAfter = enrolled.Response.RenewAfter, Subject = enrolled.Response.Subject };
            SaveRecord();
        }

        CertificateExpires = ExpiryOf(enrolled.Certificate);
        Volatile.Write(ref certificate, enrolled.Certificate);
        if (Link.Status.State != LinkState.Connected)
        {
            // It was refused with the last one, maybe, and would try again after minutes.
            Link.Redial();
        }

        Changed.Pulse();
    }

    /// <summary>Takes over a new certificate that came by kubeconfig, and what was said of the gateway beside it.</summary>
    public void SetCertificate(KubeconfigEnrolled enrolled)
    {
        lock (recordGate)
        {
            Record = Record with { Cluster = enrolled.Cluster, Pods = enrolled.Pods };
            Link.SetPods(enrolled.Pods.Names);
            if (enrolled.Facts.Endpoints.Count is > 0 and <= 16 && !enrolled.Facts.Endpoints.SequenceEqual(Record.Endpoints))
            {
                Record = Record with { Endpoints = enrolled.Facts.Endpoints };
                Link.SetEndpoints(Record.Endpoints);
            }
        }

        SetCertificate(enrolled.Enrolled);
    }

    /// <summary>Waits until the catalog was told once, or the gateway said that it won't.</summary>
    public async Task WaitForCatalogAsync(CancellationToken cancellationToken)
    {
        for (var seen = Changed.Version; Catalog.Snapshot is null && !IsRefused; seen = Changed.Version)
        {
            await Changed.WaitAsync(seen, cancellationToken);
        }
    }

    /// <summary>The gateway only says that it does not accept the certificate; that it has expired is known here.</summary>
    public ErrorInfo? Problem => Link.Status.Problem is { Category: ErrorCategory.Denied } && renewal.Problem is { Category: ErrorCategory.Denied } expired
        ? expired
        : Link.Status.Problem ?? follower.Problem ?? Clock.Problem ?? renewal.Problem;

    /// <summary>Until a person acts, the gateway won't have us.</summary>
    private bool IsRefused => Link.Status.State == LinkState.Refused
        || (Link.Status.State == LinkState.Connected && follower.Problem is { } problem && (problem.Category == ErrorCategory.Denied || problem.Code is "gateway-version" or "protocol-unsupported"));

    public SpaceStatus Describe(bool inUse, int consumed)
    {
        var status = Link.Status;
        return new SpaceStatus(
            Record.Name,
            Record.Uid,
            Record.Subject,
            (int)Record.Owner,
            inUse,
            IsRefused ? LinkState.Refused : status.State,
            status.Since,
            Problem,
            status.Carrier,
            status.Gateway,
            status.RoundTrip?.TotalMilliseconds,
            Hello?.ProductVersion,
            Hello is { } hello ? VersionDifference.Describe(hello.ProductVersion, ProductVersion.Text) : null,
            CertificateExpires,
            Settings.PrimaryNamespace,
            Catalog.Count,
            consumed,
            Counters.Open,
            Counters.BytesFromSocket,
            Counters.BytesToSocket,
            Ways: status.Ways,
            Replicas: [.. status.Replicas.Where(replica => replica.Length > 0)],
            Rights: Hello?.Rights);
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await running;
        await Link.DisposeAsync();
        stopping.Dispose();
        Authority.Dispose();
        certificate.Dispose();
    }

    private static bool IsUsable(ClusterNetwork network) =>
        network.ServiceSubnets.Count <= ClusterNetwork.MaxSubnets && network.PodSubnets.Count <= ClusterNetwork.MaxSubnets
        && network.ServiceSubnets.Concat(network.PodSubnets).All(subnet => subnet is not null && SettingText.IsNetwork(subnet))
        && ServiceNames.IsDomain(network.ClusterDomain) && (network.DnsAddress is null || IPAddress.TryParse(network.DnsAddress, out _));

    private static DateTimeOffset ExpiryOf(X509Certificate2 certificate) => new(certificate.NotAfter.ToUniversalTime(), TimeSpan.Zero);

    /// <summary>What the gateway said of itself is told again with every greeting, so a full disk is no reason to stop.</summary>
    private void SaveRecord()
    {
        try
        {
            store.SaveRecord(Record);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNotSaved(Record.Name, e.Message);
        }
    }

    [LoggerMessage(3401, LogLevel.Warning, "What changed of space {Space} can't be stored: {Reason}")]
    private partial void LogNotSaved(string space, string reason);

    [LoggerMessage(3402, LogLevel.Warning, "The setting {Key} that the gateway of space {Space} sends makes no sense and is left out: {Reason}")]
    private partial void LogSettingRefused(string space, string key, string reason);
}
