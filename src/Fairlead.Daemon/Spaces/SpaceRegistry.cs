using System.Security.Cryptography.X509Certificates;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Companions;
using Fairlead.Daemon.Consume;
using Fairlead.Daemon.Names;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Spaces;

/// <summary>
/// The spaces joined on this laptop, and which of them is in use (owns the plain names). Owns them. Changes are serialised; readers see a snapshot.
/// </summary>
internal sealed partial class SpaceRegistry(SpaceStore store, ILinks links, ICompanions companions, AddressBook book, TimeProvider time, ILoggerFactory loggers) : IAsyncDisposable
{
    /// <summary>Of one uid; each costs a link and its heartbeat.</summary>
    internal const int MaxSpacesPerOwner = 16;

    /// <summary>Until the gateway said what it really is.</summary>
    private const string DefaultClusterDomain = "cluster.local";

    private readonly ILogger logger = loggers.CreateLogger<SpaceRegistry>();
    private readonly SemaphoreSlim gate = new(1, 1);
    private volatile IReadOnlyList<Space> spaces = [];
    private volatile string? inUse;

    /// <summary>Pulsed when a space, its settings, its catalog or its link changed.</summary>
    public Signal Changed { get; } = new();

    /// <summary>In the order of their names.</summary>
    public IReadOnlyList<Space> All => spaces;

    public Space? InUse => spaces.FirstOrDefault(IsInUse);

    public bool IsInUse(Space space) => space.Key == inUse;

    /// <summary>Takes up what earlier runs stored.</summary>
    /// <param name="start">Whether to go to work for it; null: for all.</param>
    public void Load(Func<SpaceRecord, bool>? start = null)
    {
        var loaded = new List<Space>();
        foreach (var stored in store.LoadAll())
        {
            try
            {
                loaded.Add(Create(stored, store.LoadCatalog(stored.Record)));
                book.Load(stored.Addresses);
            }
            catch (Exception e) when (e is FairleadException or System.Security.Cryptography.CryptographicException)
            {
                LogUnusable(stored.Record.Name, e.Message);
            }
        }

        Publish(loaded);
        inUse = store.LoadInUse() is { } key && loaded.Exists(space => space.Key == key) ? key : loaded.FirstOrDefault()?.Key;
        foreach (var space in loaded.Where(space => start?.Invoke(space.Record) ?? true))
        {
            space.Start();
        }
    }

    /// <summary>What the consume plan is made from.</summary>
    public IReadOnlyList<PlanSpace> Plan() => [.. spaces.Select(space => new PlanSpace(
        space.Key, space.Record.Name, IsInUse(space), space.Record.ClusterDomain, space.Settings.PrimaryNamespace, space.Rules, space.Catalog.Snapshot))];

    public Space? Find(string key) => spaces.FirstOrDefault(space => space.Key == key);

    /// <summary>Joins the token's space for <paramref name="owner"/>; joined again, it keeps its name, rules and addresses.</summary>
    /// <exception cref="FairleadException"/>
    public async Task<Space> JoinAsync(string text, uint owner, CancellationToken cancellationToken)
    {
        var token = Enrolment.ReadToken(text);
        RequireRoom(token.SpaceUid, owner);

        // Outside the gate: one person's gateway that doesn't answer must not keep others waiting.
        using var gateway = links.CreateBootstrap(token);
        var enrolled = await Enrolment.JoinAsync(gateway, token, time, cancellationToken);

        return await AdmitAsync(enrolled, token.SpaceName, token.SpaceUid, owner, token.Endpoints);
    }

    /// <summary>Joins the space of a cluster's gateway with the owner's kubeconfig, which the owner's companion reads.</summary>
    /// <exception cref="FairleadException"/>
    public async Task<Space> JoinAsync(ClusterAccess cluster, uint owner, CancellationToken cancellationToken)
    {
        var joined = await KubeconfigEnrolment.EnrolAsync(companions, owner, cluster, time, cancellationToken);
        RequireRoom(joined.Facts.SpaceUid, owner);
        return await AdmitAsync(joined.Enrolled, joined.Facts.SpaceName, joined.Facts.SpaceUid, owner, joined.Facts.Endpoints, joined.Cluster, joined.Pods);
    }

    /// <summary>The token is spent, or the certificate made: from here on nothing may cancel.</summary>
    private async Task<Space> AdmitAsync(
        Enrolled enrolled, string name, string uid, uint owner, IReadOnlyList<GatewayEndpoint> endpoints, ClusterAccess? cluster = null, GatewayPods? pods = null)
    {
        await gate.WaitAsync(CancellationToken.None);
        try
        {
            var known = FindJoined(uid, owner);
            var record = new SpaceRecord(
                known?.Record.Name ?? FreeName(name),
                uid,
                owner,
                enrolled.Response.Subject,
                known?.Record.ClusterDomain ?? DefaultClusterDomain,
                endpoints,
                enrolled.Response.Authority,
                enrolled.Response.RenewAfter,
                cluster,
                pods);

            if (known is not null)
            {
                await known.DisposeAsync();
            }

            store.SaveIdentity(record, enrolled.Certificate);
            store.SaveRecord(record);
            var space = Create(new StoredSpace(record, enrolled.Certificate, known?.Settings ?? SpaceSettings.None, []), known?.Catalog);
            Publish(spaces.Where(other => other != known).Append(space));
            if (InUse is null)
            {
                SetInUse(space.Key);
            }

            space.Start();
            LogJoined(record.Name, record.Subject, owner);
            return space;
        }
        finally
        {
            gate.Release();
        }
    }

    public async Task UseAsync(Space space, CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken);
        try
        {
            SetInUse(space.Key);
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>Forgets the space, its key, its rules and its addresses.</summary>
    public async Task LeaveAsync(Space space, CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken);
        try
        {
            if (!spaces.Contains(space))
            {
                return;
            }

            Publish(spaces.Where(other => other != space));
            if (IsInUse(space))
            {
                // The plain names go to another space of the same person, never to somebody else's.
                SetInUse(spaces.FirstOrDefault(other => other.Record.Owner == space.Record.Owner)?.Key);
            }

            // Last: until nothing runs that could store anything of it.
            await space.DisposeAsync();
            store.Delete(space.Record);
            LogLeft(space.Record.Name);
        }
        finally
        {
            gate.Release();
        }

        Changed.Pulse();
    }

    /// <exception cref="FairleadException">A rule makes no sense.</exception>
    public async Task SetRulesAsync(Space space, Func<RuleSet, RuleSet> change, CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken);
        try
        {
            var rules = change(space.Rules);
            space.SetSettings(space.Settings with { Rules = rules.Texts }, rules);
        }
        finally
        {
            gate.Release();
        }
    }

    public async Task SetPrimaryNamespaceAsync(Space space, string? primaryNamespace, CancellationToken cancellationToken)
    {
        if (primaryNamespace is not null && !ServiceNames.IsLabel(primaryNamespace))
        {
            throw new FairleadException(ErrorCategory.Usage, "namespace-invalid", $"'{primaryNamespace}' is not a namespace", "a namespace has lower-case letters, digits and '-' only", "Write it as 'kubectl get namespaces' does.");
        }

        await gate.WaitAsync(cancellationToken);
        try
        {
            space.SetSettings(space.Settings with { PrimaryNamespace = primaryNamespace }, space.Rules);
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>Stores the addresses that services of every space have.</summary>
    public void SaveAddresses()
    {
        foreach (var space in spaces)
        {
            store.SaveAddresses(space.Record, book.Of(space.Key));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await gate.WaitAsync();
        foreach (var space in spaces)
        {
            await space.DisposeAsync();
        }

        spaces = [];
        gate.Dispose();
    }

    private Space? FindJoined(string uid, uint owner) => spaces.FirstOrDefault(space => space.Record.Owner == owner && space.Record.Uid == uid);

    private void RequireRoom(string uid, uint owner)
    {
        if (FindJoined(uid, owner) is null && spaces.Count(space => space.Record.Owner == owner) >= MaxSpacesPerOwner)
        {
            throw new FairleadException(ErrorCategory.Failed, "spaces-too-many", $"{MaxSpacesPerOwner} spaces are joined already", "more are not kept", "Leave one: 'fairlead leave --space NAME'.");
        }
    }

    private Space Create(StoredSpace stored, Catalog? catalog) => new(stored, catalog, store, links, companions, Changed, time, loggers);

    private void Publish(IEnumerable<Space> all)
    {
        spaces = [.. all.OrderBy(space => space.Record.Name, StringComparer.Ordinal)];
        Changed.Pulse();
    }

    private void SetInUse(string? key)
    {
        store.SaveInUse(key);
        inUse = key;
        Changed.Pulse();
    }

    private string FreeName(string name)
    {
        var free = name;
        for (var i = 2; spaces.Any(space => space.Record.Name == free); i++)
        {
            free = $"{name}-{i}";
        }

        return free;
    }

    [LoggerMessage(3301, LogLevel.Error, "The stored state of space {Space} can't be used: {Reason}")]
    private partial void LogUnusable(string space, string reason);

    [LoggerMessage(3302, LogLevel.Information, "Joined space {Space} as {Subject}, for uid {Owner}")]
    private partial void LogJoined(string space, string subject, uint owner);

    [LoggerMessage(3303, LogLevel.Information, "Left space {Space}")]
    private partial void LogLeft(string space);
}
