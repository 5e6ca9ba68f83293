using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace Fairlead.Gateway.Health;

/// <summary>
/// Gathers the values of some meters and writes them as Prometheus text (github.com/prometheus/docs, exposition formats 0.0.4), names
/// turned as OpenTelemetry's compatibility specification says: dots are underscores, counters end in <c>_total</c>, seconds in <c>_seconds</c>.
/// </summary>
internal sealed class PrometheusText : IDisposable
{
    /// <summary>Label values come from our own code and are few; this catches a mistake.</summary>
    private const int MaxSeries = 2000;

    private readonly MeterListener listener = new();
    private readonly ConcurrentDictionary<(Instrument Instrument, string Labels), Series> series = new();

    public PrometheusText(params IReadOnlyCollection<string> meters)
    {
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (meters.Contains(instrument.Meter.Name))
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Record(instrument, value, tags));
        listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Record(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Record(instrument, value, tags));
        listener.Start();
    }

    public string Write()
    {
        listener.RecordObservableInstruments();
        var text = new StringBuilder();
        foreach (var group in series.GroupBy(s => s.Key.Instrument).OrderBy(g => g.Key.Name, StringComparer.Ordinal))
        {
            var name = NameOf(group.Key);
            text.Append("# HELP ").Append(name).Append(' ').Append(group.Key.Description?.Replace("\\", "\\\\").Replace("\n", "\\n")).Append('\n');
            text.Append("# TYPE ").Append(name).Append(' ').Append(KindOf(group.Key)).Append('\n');
            foreach (var one in group.OrderBy(s => s.Key.Labels, StringComparer.Ordinal))
            {
                one.Value.Write(text, name, one.Key.Labels);
            }
        }

        return text.ToString();
    }

    public void Dispose() => listener.Dispose();

    private void Record(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var key = (instrument, LabelsOf(tags));
        if (series.Count >= MaxSeries && !series.ContainsKey(key))
        {
            return;
        }

        series.GetOrAdd(key, static k => new Series((k.Instrument as Histogram<double>)?.Advice?.HistogramBucketBoundaries ?? [])).Record(instrument, value);
    }

    private static string NameOf(Instrument instrument)
    {
        var name = instrument.Name.Replace('.', '_');
        name = instrument.Unit switch
        {
            "s" => name + "_seconds",
            "By" => name + "_bytes",
            _ => name,
        };
        return KindOf(instrument) == "counter" ? name + "_total" : name;
    }

    private static string KindOf(Instrument instrument) => instrument switch
    {
        Counter<long> or ObservableCounter<long> => "counter",
        Histogram<double> => "histogram",
        _ => "gauge",
    };

    private static string LabelsOf(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var text = new StringBuilder();
        foreach (var (key, value) in tags)
        {
            var escaped = Convert.ToString(value, CultureInfo.InvariantCulture)?.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n");
            text.Append(text.Length == 0 ? "" : ",").Append(key.Replace('.', '_')).Append("=\"").Append(escaped).Append('"');
        }

        return text.ToString();
    }

    private sealed class Series(IReadOnlyList<double> bounds)
    {
        private readonly long[] buckets = new long[bounds.Count];
        private readonly Lock gate = new();
        private double sum;
        private long count;

        public void Record(Instrument instrument, double value)
        {
            lock (gate)
            {
                sum = instrument.IsObservable ? value : sum + value;
                count++;
                for (var i = 0; i < bounds.Count; i++)
                {
                    buckets[i] += value <= bounds[i] ? 1 : 0;
                }
            }
        }

        public void Write(StringBuilder text, string name, string labels)
        {
            lock (gate)
            {
                if (bounds.Count == 0)
                {
                    Line(text, name, labels, sum);
                    return;
                }

                var prefix = labels.Length == 0 ? "" : labels + ",";
                for (var i = 0; i < bounds.Count; i++)
                {
                    Line(text, name + "_bucket", $"{prefix}le=\"{bounds[i].ToString(CultureInfo.InvariantCulture)}\"", buckets[i]);
                }

                Line(text, name + "_bucket", prefix + "le=\"+Inf\"", count);
                Line(text, name + "_sum", labels, sum);
                Line(text, name + "_count", labels, count);
            }
        }

        private static void Line(StringBuilder text, string name, string labels, double value) =>
            text.Append(name).Append(labels.Length == 0 ? "" : "{" + labels + "}").Append(' ').Append(value.ToString(CultureInfo.InvariantCulture)).Append('\n');
    }
}
