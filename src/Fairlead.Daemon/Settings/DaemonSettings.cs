using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Recovery;
using Fairlead.Platform.Capture;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Settings;

/// <summary>One setting of the daemon: its key, default and what values it takes.</summary>
/// <param name="Normalise">Returns the value as it is stored, or throws a usage error that names what is wrong with it.</param>
internal sealed record SettingDefinition(string Key, string Default, string Description, bool NeedsRestart, Func<string, string> Normalise);

/// <summary>The options of the daemon, stored in <c>STATE/options.json</c>. Thread-safe.</summary>
internal sealed partial class DaemonSettings
{
    public const string Resolver = "resolver";
    public const string LoopbackRange = "loopback-range";
    public const string LogLevelKey = "log-level";
    public const string Capture = "capture";

    private static readonly IPNetwork Loopback = new(IPAddress.Parse("127.0.0.0"), 8);

    private static readonly SettingDefinition[] Definitions =
    [
        new(Resolver, "hosts", "how names get to addresses: 'hosts', a section of the hosts file", true, value => OneOf(Resolver, value, "hosts")),
        new(LoopbackRange, CaptureOptions.DefaultRange.ToString(), "where consumed services get their addresses, inside 127.0.0.0/8, /9 to /24", true, NormaliseRange),
        new(LogLevelKey, "info", "how much is logged: debug, info, warning or error", false, value => OneOf(LogLevelKey, value, "debug", "info", "warning", "error")),
        new(Capture, "auto", "how flows get into the daemon: auto, sk_lookup, nftables or listeners", true, value => OneOf(Capture, value, "auto", "sk_lookup", "nftables", "listeners")),
    ];

    private readonly string path;
    private readonly Lock gate = new();
    private readonly Dictionary<string, string> values;

    /// <summary>Reads what is stored; a value that is none of those allowed (an edited file, another version) is replaced by the default and logged.</summary>
    public DaemonSettings(string stateDirectory, ILogger logger)
    {
        path = Path.Combine(stateDirectory, "options.json");
        values = Definitions.ToDictionary(definition => definition.Key, definition => definition.Default);
        try
        {
            foreach (var (key, value) in PrivateFile.ReadJson(path, SettingsJson.Default.DictionaryStringString) ?? [])
            {
                if (Definitions.FirstOrDefault(definition => definition.Key == key) is { } definition)
                {
                    values[key] = definition.Normalise(value);
                }
            }
        }
        catch (Exception e) when (e is JsonException or FairleadException)
        {
            LogUnusable(logger, path, e.Message);
        }
    }

    public event Action<string>? Changed;

    public string this[string key]
    {
        get
        {
            lock (gate)
            {
                return values[key];
            }
        }
    }

    public IPNetwork Range => IPNetwork.Parse(this[LoopbackRange]);

    public CaptureWay? Way => this[Capture] switch
    {
        "sk_lookup" => CaptureWay.SkLookup,
        "nftables" => CaptureWay.NftRedirect,
        "listeners" => CaptureWay.PortListeners,
        _ => null,
    };

    public LogLevel Level => this[LogLevelKey] switch
    {
        "debug" => LogLevel.Debug,
        "warning" => LogLevel.Warning,
        "error" => LogLevel.Error,
        _ => LogLevel.Information,
    };

    public OptionList List() => new([.. Definitions.Select(Describe)]);

    /// <exception cref="FairleadException">There is no such key, or the value makes no sense.</exception>
    public OptionChanged Set(string key, string value)
    {
        var definition = Definitions.FirstOrDefault(definition => definition.Key == key) ?? throw new FairleadException(
            ErrorCategory.Usage, "option-unknown", $"There is no option '{key}'", $"the options are {string.Join(", ", Definitions.Select(d => d.Key))}", "See 'fairlead options list'.");
        var normal = definition.Normalise(value);
        bool changed;
        lock (gate)
        {
            changed = values[key] != normal;
            if (changed)
            {
                var next = new Dictionary<string, string>(values) { [key] = normal };
                PrivateFile.WriteJson(path, next, SettingsJson.Default.DictionaryStringString);
                values[key] = normal;
            }
        }

        Changed?.Invoke(key);
        return new OptionChanged(Describe(definition), changed && definition.NeedsRestart);
    }

    private OptionInfo Describe(SettingDefinition definition) =>
        new(definition.Key, this[definition.Key], definition.Default, definition.Description, definition.NeedsRestart);

    private static string OneOf(string key, string value, params string[] allowed) => allowed.Contains(value)
        ? value
        : throw Invalid(key, value, $"it takes {string.Join(", ", allowed.Select(one => $"'{one}'"))}");

    /// <summary>Away from 127.0.0.0/16, where the machine's own names, resolvers and containers have their addresses (127.0.0.1, .53, 127.0.1.1).</summary>
    private static string NormaliseRange(string value)
    {
        if (!IPNetwork.TryParse(value, out var range))
        {
            throw Invalid(LoopbackRange, value, "it is not a network such as '127.72.0.0/14'");
        }

        if (range.PrefixLength is < 9 or > 24 || !Loopback.Contains(range.BaseAddress))
        {
            throw Invalid(LoopbackRange, value, "it must lie inside 127.0.0.0/8 and be of size /9 to /24");
        }

        return range.Contains(IPAddress.Loopback) || new IPNetwork(IPAddress.Parse("127.0.0.0"), 16).Contains(range.BaseAddress)
            ? throw Invalid(LoopbackRange, value, "the addresses of 127.0.0.0/16 are this machine's own")
            : range.ToString();
    }

    private static FairleadException Invalid(string key, string value, string why) =>
        new(ErrorCategory.Usage, "option-invalid", $"'{value}' is no value for {key}", why, $"See 'fairlead options get {key}'.");

    [LoggerMessage(1001, LogLevel.Warning, "{Path} can't be used, defaults are: {Reason}")]
    private static partial void LogUnusable(ILogger logger, string path, string reason);
}

[JsonSourceGenerationOptions(WriteIndented = true)]
[JsonSerializable(typeof(Dictionary<string, string>))]
internal sealed partial class SettingsJson : JsonSerializerContext;
