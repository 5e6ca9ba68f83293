using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace Fairlead.Gateway.Health;

/// <summary>Sends the metrics by OTLP where the environment says so (OpenTelemetry's own variables configure the exporter).</summary>
internal static class Telemetry
{
    /// <returns>Disposing it sends what is left; null when no endpoint is named.</returns>
    public static IDisposable? Start(Func<string, string?> environment) =>
        string.IsNullOrEmpty(environment("OTEL_EXPORTER_OTLP_ENDPOINT")) && string.IsNullOrEmpty(environment("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"))
            ? null
            : Sdk.CreateMeterProviderBuilder().AddMeter(GatewayMetrics.MeterName).AddOtlpExporter().Build();
}
