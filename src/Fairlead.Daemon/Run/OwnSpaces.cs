using System.Net;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Companions;
using Fairlead.Daemon.Names;
using Fairlead.Daemon.Settings;
using Fairlead.Daemon.Spaces;
using Fairlead.Tunnel.Link;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Run;

/// <param name="StateDirectory">Of the user: keys, certificates and what the daemon has below its own (<c>UID/SPACE-UID/</c>). Absolute.</param>
/// <param name="Uid">Who this process runs as.</param>
public sealed record OwnSpacesOptions(string StateDirectory, uint Uid);

/// <summary>
/// The spaces that a user has joined for <c>fairlead run</c>: with a key of the user's own, in the user's own directory, without a daemon. Owns what it opened.
/// </summary>
public sealed class OwnSpaces : IAsyncDisposable
{
    /// <summary>
    /// Addresses that stand for services inside a private network (<c>--net consume</c>): class E, which nobody routes, and apart from the pool of virtual subnets.
    /// </summary>
    internal static readonly IPNetwork Range = new(IPAddress.Parse("247.72.0.0"), 14);

    private readonly DaemonLog log;
    private readonly uint uid;

    private OwnSpaces(OwnSpacesOptions options, IUserCluster cluster, Func<ILoggerFactory, ICompanions, ILinks>? links, TimeProvider time)
    {
        uid = options.Uid;
        log = new DaemonLog(options.StateDirectory, time, "run.log");
        Loggers = LoggerFactory.Create(builder => builder.SetMinimumLevel(LogLevel.Information).AddProvider(log));
        var companions = new OwnCompanions(cluster);
        Book = new AddressBook(Range);
        Registry = new SpaceRegistry(
            new SpaceStore(options.StateDirectory, Loggers.CreateLogger<SpaceStore>()),
            links?.Invoke(Loggers, companions) ?? new TunnelLinks(Loggers, companions, time),
            companions,
            Book,
            time,
            Loggers);
    }

    internal ILoggerFactory Loggers { get; }

    internal AddressBook Book { get; }

    internal SpaceRegistry Registry { get; }

    /// <summary>What was joined, without a link to any of it.</summary>
    public static OwnSpaces Open(OwnSpacesOptions options, IUserCluster cluster) => Open(options, cluster, null, TimeProvider.System);

    /// <param name="links">Makes what reaches gateways; null: tunnels.</param>
    internal static OwnSpaces Open(OwnSpacesOptions options, IUserCluster cluster, Func<ILoggerFactory, ICompanions, ILinks>? links, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(cluster);
        var spaces = new OwnSpaces(options, cluster, links, time);
        spaces.Registry.Load(_ => false);
        return spaces;
    }

    public SpaceList List() => new([.. Registry.All.Where(space => space.Record.Owner == uid).Select(space => space.Describe(Registry.IsInUse(space), 0))]);

    /// <exception cref="FairleadException">As when the daemon joins.</exception>
    public async Task<SpaceStatus> JoinAsync(JoinRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        var space = request.Cluster is { } cluster
            ? await Registry.JoinAsync(cluster, uid, cancellationToken)
            : await Registry.JoinAsync(request.Token ?? "", uid, cancellationToken);
        return space.Describe(Registry.IsInUse(space), 0);
    }

    /// <param name="name">Null: the one in use.</param>
    /// <returns>The name of what was left.</returns>
    /// <exception cref="FairleadException">There is no such space.</exception>
    public async Task<string> LeaveAsync(string? name, CancellationToken cancellationToken)
    {
        var space = Find(name);
        await Registry.LeaveAsync(space, cancellationToken);
        return space.Record.Name;
    }

    /// <exception cref="FairleadException">There is no such space.</exception>
    public Task UseAsync(string name, CancellationToken cancellationToken) => Registry.UseAsync(Find(name), cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await Registry.DisposeAsync();
        Loggers.Dispose();
        log.Dispose();
    }

    /// <param name="name">Null: the one in use.</param>
    /// <exception cref="FairleadException">There is no such space.</exception>
    internal Space Find(string? name)
    {
        var own = Registry.All.Where(space => space.Record.Owner == uid).ToList();
        if (own.Count == 0)
        {
            throw new FairleadException(
                ErrorCategory.NotConnected,
                "no-space",
                "No space is joined for 'fairlead run'",
                "it reaches a cluster with a key of your own, not with the daemon's",
                "fairlead join --for-run TOKEN, or with a kubeconfig: fairlead join --for-run --context NAME");
        }

        return (name is null ? own.Find(Registry.IsInUse) ?? own[0] : own.Find(space => space.Record.Name == name)) ?? throw new FairleadException(
            ErrorCategory.Usage, "space-unknown", $"There is no space '{name}' for 'fairlead run'", $"joined are {string.Join(", ", own.Select(space => space.Record.Name))}", "fairlead space list --for-run");
    }

    /// <summary>The space with its link up and its catalog told.</summary>
    /// <param name="addresses">Whether the catalog must tell the services' own addresses.</param>
    /// <exception cref="FairleadException">It can't be reached; the link's own words.</exception>
    internal async Task<Space> ConnectAsync(string? name, bool addresses, TimeSpan patience, TimeProvider time, CancellationToken cancellationToken)
    {
        var space = Find(name);
        space.AskForAddresses(addresses);
        using var deadline = new CancellationTokenSource(patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            await space.RenewIfExpiredAsync(either.Token);
            space.Start();
            await space.Link.WaitUntilConnectedAsync(either.Token);
            for (var seen = space.Changed.Version; space.Hello is null || !IsTold(space, addresses && space.Hello.Capabilities.Contains(GatewayCapabilities.CatalogAddresses)); seen = space.Changed.Version)
            {
                if (space.Problem is { Category: ErrorCategory.Denied } refused)
                {
                    throw new FairleadException(refused);
                }

                await space.Changed.WaitAsync(seen, either.Token);
            }

            return space;
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new FairleadException(
                space.Problem is { } problem ? problem with { Category = problem.Category == ErrorCategory.Failed ? ErrorCategory.NotConnected : problem.Category }
                : new ErrorInfo(ErrorCategory.TimedOut, "gateway-silent", $"The gateway of space {space.Record.Name} does not answer", $"{patience.TotalSeconds:0} s have passed", "Is this machine online? 'fairlead gateway status', with a kubeconfig, says how the gateway is."),
                e);
        }
    }

    /// <summary>What an earlier run stored is good enough, but may lack addresses.</summary>
    private static bool IsTold(Space space, bool addresses) =>
        space.Catalog.Snapshot is { } services && (!addresses || services.All(service => service.Kind == ServiceKind.ExternalName || service.Addresses is not null));
}
