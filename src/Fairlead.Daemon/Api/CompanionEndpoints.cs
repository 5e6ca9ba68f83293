using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Companions;
using Fairlead.Daemon.Spaces;
using Fairlead.Platform.Peers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Fairlead.Daemon.Api;

/// <summary>The paths of <see cref="CompanionApi"/>. Whose companion it is says the kernel.</summary>
internal sealed class CompanionEndpoints(CompanionRegistry companions, SpaceRegistry spaces, CancellationToken stopping)
{
    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet(CompanionApi.Control, ControlAsync);
    }

    /// <summary>Tells a user whose spaces need a companion that there is none: the command line starts it.</summary>
    public void Announce(HttpContext context)
    {
        if (context.Features.Get<PeerIdentity>() is { } peer && IsNeeded(peer.Uid) && companions.PidOf(peer.Uid) is null)
        {
            context.Response.Headers[CompanionApi.WantedHeader] = "wanted";
        }
    }

    private bool IsNeeded(uint uid) => spaces.All.Any(space => space.Record.Owner == uid && space.Record.Cluster is not null);

    private async Task ControlAsync(HttpContext context)
    {
        var peer = PeerOf(context);
        await using var stream = await UpgradeAsync(context, CompanionApi.ControlProtocol);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        await companions.ServeAsync(peer.Uid, peer.Pid, stream, () => IsNeeded(peer.Uid), either.Token);
    }

    private static PeerIdentity PeerOf(HttpContext context) =>
        context.Features.Get<PeerIdentity>() ?? throw new FairleadException(ErrorCategory.Denied, "denied", "The kernel does not say who is asking");

    private static async Task<Stream> UpgradeAsync(HttpContext context, string protocol)
    {
        if (context.Features.Get<IHttpUpgradeFeature>() is not { IsUpgradableRequest: true } feature || context.Request.Headers.Upgrade != protocol)
        {
            throw new FairleadException(ErrorCategory.Usage, "companion-version", "The daemon does not speak this companion's protocol", $"it speaks {protocol}", "Compare 'fairlead version' with the daemon's ('fairlead status').");
        }

        // It may be silent for as long as nobody wants anything.
        if (context.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = null;
        }

        context.Response.Headers.Upgrade = protocol;
        return await feature.UpgradeAsync();
    }
}
