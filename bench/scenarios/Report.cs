using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fairlead.Bench.Scenarios;

/// <summary>One figure beside its peer's and the bar that the project has set itself. A missing peer means that the bar is not met.</summary>
/// <param name="Ratio">Fairlead's figure divided by the peer's; null where the figure stands for itself.</param>
internal sealed record Figure(string What, string Unit, double Fairlead, string? Peer, double? PeerFigure, double? Ratio, string Bar, bool Met);

/// <summary>Collects figures, prints them as a Markdown table and keeps them as JSON under bench/results.</summary>
internal sealed class Report(string scenario)
{
    private readonly List<Figure> _figures = [];
    private readonly List<string> _notes = [];

    public void Ratio(string what, string unit, double fairlead, string peer, double peerFigure, double atLeast)
    {
        var ratio = peerFigure > 0 ? fairlead / peerFigure : 0;
        _figures.Add(new Figure(what, unit, fairlead, peer, peerFigure, ratio, $"≥ {atLeast.ToString(CultureInfo.InvariantCulture)}", peerFigure > 0 && ratio >= atLeast));
    }

    public void AtLeast(string what, string unit, double value, double bar) => _figures.Add(new Figure(what, unit, value, null, null, null, $"≥ {bar}", value >= bar));

    public void AtMost(string what, string unit, double value, double bar, string? peer = null, double? peerFigure = null) =>
        _figures.Add(new Figure(what, unit, value, peer, peerFigure, null, $"≤ {bar}", value <= bar));

    public void Beside(string what, string unit, double fairlead, string peer, double peerFigure) =>
        _figures.Add(new Figure(what, unit, fairlead, peer, peerFigure, peerFigure > 0 ? fairlead / peerFigure : null, "—", true));

    public void Note(string text) => _notes.Add(text);

    public void Print()
    {
        Console.WriteLine();
        Console.WriteLine($"## {scenario}");
        Console.WriteLine();
        Console.WriteLine("| what | unit | fairlead | peer | its figure | ratio | bar | met |");
        Console.WriteLine("|---|---|---:|---|---:|---:|---|---|");
        foreach (var f in _figures)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {f.What} | {f.Unit} | {Number(f.Fairlead)} | {f.Peer ?? "—"} | {(f.PeerFigure is { } p ? Number(p) : "—")} | {(f.Ratio is { } r ? r.ToString("0.00", CultureInfo.InvariantCulture) : "—")} | {f.Bar} | {(f.Met ? "yes" : "**no**")} |"));
        }

        foreach (var note in _notes)
        {
            Console.WriteLine();
            Console.WriteLine(note);
        }
    }

    public void Save(string directory)
    {
        Directory.CreateDirectory(directory);
        var json = new JsonObject
        {
            ["scenario"] = scenario,
            ["figures"] = new JsonArray([.. _figures.Select(f => (JsonNode)new JsonObject
            {
                ["what"] = f.What, ["unit"] = f.Unit, ["fairlead"] = f.Fairlead, ["peer"] = f.Peer, ["peerFigure"] = f.PeerFigure, ["ratio"] = f.Ratio, ["bar"] = f.Bar, ["met"] = f.Met,
            })]),
            ["notes"] = new JsonArray([.. _notes.Select(n => (JsonNode)n)]),
        };
        File.WriteAllText(Path.Combine(directory, scenario + ".json"), json.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
    }

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length == 0 ? 0 : sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }

    private static string Number(double value) => value switch
    {
        >= 1000 => value.ToString("N0", CultureInfo.InvariantCulture),
        >= 100 => value.ToString("0", CultureInfo.InvariantCulture),
        >= 10 => value.ToString("0.0", CultureInfo.InvariantCulture),
        _ => value.ToString("0.00", CultureInfo.InvariantCulture),
    };
}
