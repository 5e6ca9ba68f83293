using System.Diagnostics;
using System.Diagnostics.Metrics;
using Fairlead.Tunnel.Relay;

namespace Fairlead.Tunnel;

/// <summary>Counters of the meter <c>Fairlead.Tunnel</c>, named as OpenTelemetry names them.</summary>
internal static class TunnelMetrics
{
    public const string MeterName = "Fairlead.Tunnel";

    private static readonly Meter Meter = new(MeterName);
    private static readonly Histogram<double> HandshakeDuration = Meter.CreateHistogram<double>("fairlead.tunnel.handshake.duration", "s", "From the dial (or accept) to the end of the TLS handshake");
    private static readonly UpDownCounter<long> ConnectionCount = Meter.CreateUpDownCounter<long>("fairlead.tunnel.connections", "{connection}", "Connections that carry flows, idle or in use");
    private static readonly Counter<long> OpenCount = Meter.CreateCounter<long>("fairlead.tunnel.flow.opens", "{flow}", "Flows opened or refused");
    private static readonly UpDownCounter<long> FlowCount = Meter.CreateUpDownCounter<long>("fairlead.tunnel.flows", "{flow}", "Flows being relayed");
    private static readonly Counter<long> EndCount = Meter.CreateCounter<long>("fairlead.tunnel.flow.ends", "{flow}", "Relayed flows that ended");
    private static readonly Counter<long> ByteCount = Meter.CreateCounter<long>("fairlead.tunnel.io", "By", "Bytes relayed");
    private static readonly Counter<long> DroppedCount = Meter.CreateCounter<long>("fairlead.tunnel.datagrams.dropped", "{datagram}", "Datagrams dropped where a bounded queue was full");
    private static readonly KeyValuePair<string, object?> Client = new("fairlead.role", "client");
    private static readonly KeyValuePair<string, object?> Server = new("fairlead.role", "server");
    private static readonly KeyValuePair<string, object?> FromSocketTag = new("network.io.direction", "receive");
    private static readonly KeyValuePair<string, object?> ToSocketTag = new("network.io.direction", "transmit");

    public static long Now => Stopwatch.GetTimestamp();

    public static void Handshake(long started, bool client, bool failed) =>
        HandshakeDuration.Record(Stopwatch.GetElapsedTime(started).TotalSeconds, Role(client), new KeyValuePair<string, object?>("error", failed));

    public static void Connections(int change, bool client) => ConnectionCount.Add(change, Role(client));

    public static void Opened(FlowFailure failure, bool client) => OpenCount.Add(1, Role(client), new KeyValuePair<string, object?>("fairlead.flow.outcome", failure.ToString()));

    public static void RelayStarted() => FlowCount.Add(1);

    public static void RelayEnded(RelayEnd end)
    {
        FlowCount.Add(-1);
        EndCount.Add(1, new KeyValuePair<string, object?>("fairlead.flow.end", end.ToString()));
    }

    public static void FromSocket(int bytes) => ByteCount.Add(bytes, FromSocketTag);

    public static void ToSocket(int bytes) => ByteCount.Add(bytes, ToSocketTag);

    public static void DatagramDropped() => DroppedCount.Add(1);

    private static KeyValuePair<string, object?> Role(bool client) => client ? Client : Server;
}
