using Fairlead.Contracts.Errors;

namespace Fairlead.Daemon.Spaces;

/// <summary>
/// How this machine's clock stands to the gateway's, which certificates are issued and judged by. Measured when the gateway is greeted, and anew
/// when this machine's clock was set or stood still meanwhile.
/// </summary>
internal sealed class GatewayClock(TimeProvider time)
{
    /// <summary>Clocks that are kept right are moved by far less at a time.</summary>
    private static readonly TimeSpan Jump = TimeSpan.FromMinutes(1);

    private readonly long started = time.GetTimestamp();
    private volatile Measurement? last;

    /// <summary>The gateway's time, as well as it is known.</summary>
    public DateTimeOffset Now => time.GetUtcNow() - (last?.Ahead ?? TimeSpan.Zero);

    /// <summary>Why certificates may be of no use; null as long as the clocks agree.</summary>
    public ErrorInfo? Problem => last is { } measured && measured.Ahead.Duration() > Enrolment.MaxClockSkew ? Enrolment.WrongClock(measured.Ahead) : null;

    public bool HasJumped => last is { } measured && (Offset() - measured.Offset).Duration() > Jump;

    /// <exception cref="FairleadException">The gateway can't be asked.</exception>
    public async Task MeasureAsync(HttpClient gateway, CancellationToken cancellationToken)
    {
        var ahead = await Enrolment.MeasureClockAsync(gateway, time, cancellationToken);
        last = new Measurement(ahead ?? TimeSpan.Zero, Offset());
    }

    /// <summary>Stays the same while nobody sets the clock and the machine doesn't sleep.</summary>
    private TimeSpan Offset() => time.GetUtcNow() - DateTimeOffset.UnixEpoch - time.GetElapsedTime(started);

    private sealed record Measurement(TimeSpan Ahead, TimeSpan Offset);
}
