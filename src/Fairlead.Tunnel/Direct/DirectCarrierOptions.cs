namespace Fairlead.Tunnel.Direct;

/// <summary>Bounds of the laptop's pool of direct connections.</summary>
public sealed record DirectCarrierOptions
{
    /// <summary>From the dial to the end of the TLS handshake.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Spare connections kept warm when there is no demand.</summary>
    public int MinSpare { get; init; } = 1;

    /// <summary>Spare connections dialled ahead at most, however high the demand: more would be a burst of handshakes nobody waits for.</summary>
    public int MaxSpare { get; init; } = 32;

    /// <summary>Connections kept after their flow ended: a burst of flows in parallel leaves at most this many behind.</summary>
    public int MaxIdle { get; init; } = 256;

    /// <summary>A connection unused this long is closed, down to <see cref="MinSpare"/>.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(60);
}
