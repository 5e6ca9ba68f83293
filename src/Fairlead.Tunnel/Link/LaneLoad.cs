namespace Fairlead.Tunnel.Link;

/// <summary>How much a lane has to do, so that what is new goes to the one that has least.</summary>
internal sealed class LaneLoad
{
    /// <summary>Below the flows that a gateway allows on a connection: no open waits for another's end, nor for what one end counts out and the other not yet.</summary>
    public const int MaxFlows = 240;

    /// <summary>A lane that moved this much since it was last looked at, half a second before, is busy: what is new goes elsewhere.</summary>
    private const int BusyBytes = 1 << 20;

    private long _bytes;
    private volatile bool _busy;

    /// <summary>To be called with each ping, by one at a time.</summary>
    /// <param name="bytes">That the lane moved, since its beginning.</param>
    public void Look(long bytes)
    {
        _busy = bytes - _bytes > BusyBytes;
        _bytes = bytes;
    }

    /// <summary>Less is better for a new flow.</summary>
    public int Of(int flows) => flows + (_busy ? MaxFlows : 0);
}
