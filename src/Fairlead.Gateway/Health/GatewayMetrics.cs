using System.Diagnostics.Metrics;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel;

namespace Fairlead.Gateway.Health;

/// <summary>The gateway's instruments; names as OpenTelemetry's conventions have them (units are UCUM).</summary>
internal sealed class GatewayMetrics : IDisposable
{
    public const string MeterName = "Fairlead.Gateway";

    private readonly Meter meter = new(MeterName);
    private readonly Counter<long> refusals;
    private readonly Histogram<double> dials;
    private readonly Counter<long> requests;
    private readonly Counter<long> enrolments;

    public GatewayMetrics()
    {
        refusals = meter.CreateCounter<long>("fairlead.gateway.flow.refusals", "{flow}", "Flows that were not opened");
        dials = meter.CreateHistogram<double>("fairlead.gateway.dial.duration", "s", "From a flow's request to a connected socket or a refusal",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 10] });
        requests = meter.CreateCounter<long>("fairlead.gateway.requests", "{request}", "Requests to the API");
        enrolments = meter.CreateCounter<long>("fairlead.gateway.certificates", "{certificate}", "Certificates asked for");
    }

    /// <summary>Adds a value that is read when somebody looks.</summary>
    public void Observe(string name, string unit, string description, Func<long> value) => meter.CreateObservableUpDownCounter(name, value, unit, description);

    public void ObserveTotal(string name, string unit, string description, Func<long> value) => meter.CreateObservableCounter(name, value, unit, description);

    public void Refused(FlowFailure failure) => refusals.Add(1, new KeyValuePair<string, object?>("reason", failure.ToString()));

    public void Dialled(TransportProtocol protocol, FlowFailure failure, TimeSpan took) => dials.Record(
        took.TotalSeconds,
        new KeyValuePair<string, object?>("network.transport", protocol.ToString().ToLowerInvariant()),
        new KeyValuePair<string, object?>("result", failure.ToString()));

    public void Requested(string route, int status) => requests.Add(
        1, new KeyValuePair<string, object?>("http.route", route), new KeyValuePair<string, object?>("http.response.status_code", status));

    public void Certificate(string kind, string result) => enrolments.Add(1, new KeyValuePair<string, object?>("kind", kind), new KeyValuePair<string, object?>("result", result));

    public void Dispose() => meter.Dispose();
}
