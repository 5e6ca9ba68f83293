using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;

namespace Fairlead.Gateway.Health;

/// <summary>
/// Hands memory back once many connections have come or gone: handshakes and connections that ended leave garbage and holes, and a gateway whose
/// connections are idle allocates too little for a full collection to come by itself. (1,000 laptops with 10 flows each: bench/README.md.)
/// </summary>
/// <param name="connections">How many there are now.</param>
/// <param name="handBack">For tests; null is <see cref="HandBack"/>.</param>
internal sealed partial class SettledMemory(Func<int> connections, TimeProvider time, ILogger<SettledMemory> logger, Action? handBack = null)
{
    /// <summary>A collection of everything stops the gateway (25 to 70 ms with 2,000 connections, 215 ms were seen on a busy machine), so not for fewer.</summary>
    internal const int Many = 250;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    private readonly Action handBack = handBack ?? HandBack;
    private int settled;
    private int last;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            Look();
        }
    }

    /// <summary>Not while they still come or go, and not before an eighth of them has.</summary>
    internal void Look()
    {
        var now = connections();
        var calm = Math.Abs(now - last) < Many;
        last = now;
        if (calm && Math.Abs(now - settled) >= Math.Max(Many, settled / 8))
        {
            settled = now;
            var began = time.GetTimestamp();
            handBack();
            LogHandedBack(now, time.GetElapsedTime(began).TotalMilliseconds);
        }
    }

    private static void HandBack()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);

        // They free what OpenSSL holds for connections that ended.
        GC.WaitForPendingFinalizers();
        TlsBuffers.HandBackFreed();
    }

    [LoggerMessage(1504, LogLevel.Information, "{Connections} connections: memory that is free was handed back within {Milliseconds:0} ms")]
    private partial void LogHandedBack(int connections, double milliseconds);
}
