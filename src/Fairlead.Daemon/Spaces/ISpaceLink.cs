using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Companions;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Link;

namespace Fairlead.Daemon.Spaces;

/// <summary>The link to one space's gateway, as a space uses it: <see cref="TunnelLink"/>, or a fake.</summary>
internal interface ISpaceLink : IFlowOpener, IAsyncDisposable
{
    LinkStatus Status { get; }

    /// <summary>After <see cref="Status"/> changed; must not block.</summary>
    event Action<LinkStatus>? Changed;

    /// <summary>The gateway's API with the current certificate. Owned by the link.</summary>
    HttpClient Api { get; }

    void Start();

    void Redial();

    void SetEndpoints(IReadOnlyList<GatewayEndpoint> endpoints);

    void SetPods(IReadOnlyList<string> pods);

    /// <exception cref="Contracts.Errors.FairleadException">The gateway refuses us.</exception>
    Task WaitUntilConnectedAsync(CancellationToken cancellationToken);
}

/// <summary>A <see cref="TunnelLink"/>, which it owns, and which tries again at once when a companion comes.</summary>
internal sealed class TunnelSpaceLink(TunnelLink link, ICompanions companions) : ISpaceLink
{
    private readonly CancellationTokenSource stopping = new();
    private Task following = Task.CompletedTask;

    public event Action<LinkStatus>? Changed
    {
        add => link.Changed += value;
        remove => link.Changed -= value;
    }

    public LinkStatus Status => link.Status;

    public HttpClient Api => link.Api;

    public void Start()
    {
        link.Start();
        following = FollowAsync();
    }

    public void Redial() => link.Redial();

    public void SetEndpoints(IReadOnlyList<GatewayEndpoint> endpoints) => link.SetEndpoints(endpoints);

    public void SetPods(IReadOnlyList<string> pods) => link.SetPods(pods);

    public Task WaitUntilConnectedAsync(CancellationToken cancellationToken) => link.WaitUntilConnectedAsync(cancellationToken);

    public ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, EarlyData? early, CancellationToken cancellationToken) =>
        link.OpenAsync(target, early, cancellationToken);

    public ValueTask<FlowOpening<IDatagramFlow>> OpenDatagramsAsync(FlowTarget target, CancellationToken cancellationToken) =>
        link.OpenDatagramsAsync(target, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await following;
        await link.DisposeAsync();
        stopping.Dispose();
    }

    private async Task FollowAsync()
    {
        try
        {
            for (var seen = companions.Changed.Version; ; seen = companions.Changed.Version)
            {
                await companions.Changed.WaitAsync(seen, stopping.Token);
                link.Redial();
            }
        }
        catch (OperationCanceledException)
        {
            // The space is left, or the daemon ends.
        }
    }
}
