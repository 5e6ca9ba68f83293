using Fairlead.Contracts.Errors;
using Fairlead.Daemon.Spaces;
using Fairlead.Platform.Peers;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Daemon.Api;

/// <summary>
/// Who asks, and what that person may do: root everything; everybody join, see and change their own spaces. What concerns the whole host (options,
/// and with other people's spaces joined also the log and the end of the daemon) is root's.
/// </summary>
internal sealed record Caller(PeerIdentity Peer, SpaceRegistry Spaces)
{
    /// <exception cref="FairleadException">The kernel does not say who asks.</exception>
    public static Caller Of(HttpContext context, SpaceRegistry spaces) => new(
        context.Features.Get<PeerIdentity>() ?? throw new FairleadException(ErrorCategory.Denied, "denied", "The kernel does not say who is asking"), spaces);

    /// <summary>The space that the request names, or means.</summary>
    /// <exception cref="FairleadException">There is no such space, or it is not clear which.</exception>
    public Space SpaceOf(HttpContext context) => context.Request.Query["space"].ToString() is { Length: > 0 } name ? Find(name) : Default();

    public bool MaySee(Space space) => Peer.IsRoot || space.Record.Owner == Peer.Uid;

    /// <summary>The spaces that concern the caller.</summary>
    public IEnumerable<Space> Visible => Spaces.All.Where(MaySee);

    /// <exception cref="FairleadException">There is none of that name among the caller's.</exception>
    public Space Find(string name) => Visible.FirstOrDefault(space => space.Record.Name == name) ?? throw new FairleadException(
        ErrorCategory.Usage, "space-unknown", $"You have not joined a space '{name}'", Visible.Any() ? $"yours are {string.Join(", ", Visible.Select(space => space.Record.Name))}" : "you have not joined any", "See 'fairlead space list'.");

    /// <summary>The space that a request without a name means: the one in use when it is the caller's, else the caller's only one.</summary>
    /// <exception cref="FairleadException">There is none, or more than one.</exception>
    public Space Default()
    {
        var mine = Visible.ToList();
        return mine.FirstOrDefault(Spaces.IsInUse) ?? mine.Count switch
        {
            1 => mine[0],
            0 => throw new FairleadException(ErrorCategory.NotConnected, "space-none", "You have not joined a space", "the daemon has none of yours", "fairlead join TOKEN"),
            _ => throw new FairleadException(ErrorCategory.Usage, "space-ambiguous", "It is not clear which space is meant", $"yours are {string.Join(", ", mine.Select(space => space.Record.Name))}, and somebody else's is in use", "Name it: --space NAME"),
        };
    }

    /// <summary>Choosing whose names are plain changes them for the one who had them, too.</summary>
    /// <exception cref="FairleadException"/>
    public void RequireUse()
    {
        if (Spaces.InUse is { } other && !MaySee(other))
        {
            throw Denied("Another person's space is in use", $"it belongs to uid {other.Record.Owner}", "Ask them, or use sudo; your own names end in the name of your space.");
        }
    }

    /// <exception cref="FairleadException"/>
    public void RequireRoot(string what)
    {
        if (!Peer.IsRoot)
        {
            throw Denied($"{what} needs root", "it concerns everybody on this machine", "Use sudo.");
        }
    }

    /// <exception cref="FairleadException"/>
    public void RequireWholeHost(string what)
    {
        if (!Peer.IsRoot && !(Spaces.All.Count > 0 && Spaces.All.All(MaySee)))
        {
            throw Denied($"{what} needs root", Spaces.All.Count == 0 ? "no space of yours is joined" : "spaces of other people are joined", "Use sudo.");
        }
    }

    private static FairleadException Denied(string message, string why, string hint) => new(ErrorCategory.Denied, "denied", message, why, hint);
}
