using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Recovery;
using Fairlead.Platform.Capture;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Settings;

/// <summary>One setting of the daemon: its key, default and what values it takes.</summary>
/// <param name="Normalise">Returns the value as it is stored, or throws a usage error that names what is wrong with it.</param>
/// <param name="FromGateway">A space's admin may set it too, for every client (<see cref="ClientSettingKeys"/>).</param>
internal sealed record SettingDefinition(string Key, string Default, string Description, bool NeedsRestart, Func<string, string> Normalise, bool FromGateway = false);

/// <summary>The options of the daemon: those that were set here are stored in <c>STATE/options.json</c>. Thread-safe.</summary>
internal sealed partial class DaemonSettings
{
    public const string Resolver = ClientSettingKeys.Resolver;
    public const string AutoResolveConflicts = "auto-resolve-conflicts";
    public const string ResolverHosts = "hosts";
    public const string ResolverDns = "dns";
    public const string DnsMappings = "dns-mappings";
    public const string LoopbackRange = "loopback-range";
    public const string LogLevelKey = "log-level";
    public const string Capture = "capture";

    private static readonly IPNetwork Loopback = new(IPAddress.Parse("127.0.0.0"), 8);

    private static readonly SettingDefinition[] Definitions =
    [
        new(Resolver, ResolverHosts, "how names get to addresses: 'hosts', a section of the hosts file, or 'dns', a DNS server on this machine", false, value => OneOf(Resolver, value, ResolverHosts, ResolverDns), FromGateway: true),
        new(LoopbackRange, CaptureOptions.DefaultRange.ToString(), "where consumed services get their addresses, inside 127.0.0.0/8, /9 to /24", true, NormaliseRange),
        new(LogLevelKey, "info", "how much is logged: debug, info, warning or error", false, value => OneOf(LogLevelKey, value, "debug", "info", "warning", "error")),
        new(Capture, "auto", "how flows get into the daemon: auto, sk_lookup, nftables or listeners", true, value => OneOf(Capture, value, "auto", "sk_lookup", "nftables", "listeners")),
        Networks(ClientSettingKeys.AlsoProxySubnets, "subnets that are routed into the cluster besides its own"),
        Networks(ClientSettingKeys.NeverProxySubnets, "subnets that are never routed into the cluster"),
        Networks(ClientSettingKeys.AllowConflictingSubnets, "subnets of the cluster that win over this host's own routes"),
        Domains(ClientSettingKeys.DnsIncludeSuffixes, "domain suffixes, besides the cluster's, that the cluster's DNS is asked for"),
        new(AutoResolveConflicts, "true", "subnets of the cluster that conflict are reached by virtual addresses: true or false", false, value => OneOf(AutoResolveConflicts, value, "true", "false")),
        Domains(ClientSettingKeys.DnsExcludeSuffixes, "domain suffixes, or names, that are never the cluster's"),
        new(DnsMappings, "", "names that stand for another name or an address, as 'db=postgres.shop', comma-separated; for the resolver 'dns'", false,
            value => NormaliseList(DnsMappings, value, SettingText.IsMapping, "a mapping such as 'db=postgres.shop' or 'db=10.0.0.5'")),
        new(ClientSettingKeys.VirtualSubnet, "246.0.0.0/8", "addresses that stand for those of the cluster that conflict, IPv4, /8 to /24", false, NormaliseVirtualSubnet, FromGateway: true),
    ];

    private readonly string path;
    private readonly Lock gate = new();
    private Dictionary<string, string> values;

    /// <summary>Reads what is stored; a value that is none of those allowed (an edited file, another version) is left out and logged.</summary>
    public DaemonSettings(string stateDirectory, ILogger logger)
    {
        path = Path.Combine(stateDirectory, "options.json");
        values = [];
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
                return values.GetValueOrDefault(key) ?? Find(key).Default;
            }
        }
    }

    /// <summary>What was set here, else what the gateway says, else the default.</summary>
    /// <param name="gateway">What <see cref="Accept"/> made of the settings of the space in use.</param>
    public string Effective(string key, IReadOnlyDictionary<string, string> gateway)
    {
        lock (gate)
        {
            return values.GetValueOrDefault(key) ?? gateway.GetValueOrDefault(key) ?? Find(key).Default;
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

    /// <param name="gateway">What <see cref="Accept"/> made of the settings of the space in use.</param>
    public OptionList List(IReadOnlyDictionary<string, string> gateway) => new([.. Definitions.Select(definition => Describe(definition, gateway))]);

    /// <summary>What a space's admin sets, and whether this laptop's own option counts instead; in the order of the options.</summary>
    public IReadOnlyList<SpaceSetting> Describe(IReadOnlyDictionary<string, string> gateway)
    {
        lock (gate)
        {
            return [.. Definitions.Where(d => gateway.ContainsKey(d.Key)).Select(d => new SpaceSetting(d.Key, gateway[d.Key], values.ContainsKey(d.Key)))];
        }
    }

    /// <summary>What a gateway told, as far as it makes sense: keys that only other versions know are passed over.</summary>
    /// <param name="refused">Told the key and the reason of each value that makes none.</param>
    public static IReadOnlyDictionary<string, string> Accept(IReadOnlyDictionary<string, string> told, Action<string, string> refused)
    {
        var accepted = new Dictionary<string, string>();
        foreach (var definition in Definitions.Where(d => d.FromGateway))
        {
            if (told.TryGetValue(definition.Key, out var value))
            {
                try
                {
                    accepted[definition.Key] = definition.Normalise(value);
                }
                catch (FairleadException e)
                {
                    refused(definition.Key, e.Error.Why ?? e.Message);
                }
            }
        }

        return accepted;
    }

    /// <exception cref="FairleadException">There is no such key, or the value makes no sense.</exception>
    public OptionChanged Set(string key, string value, IReadOnlyDictionary<string, string> gateway) => Change(Find(key), Find(key).Normalise(value), gateway);

    /// <summary>Takes back what was set here.</summary>
    /// <exception cref="FairleadException">There is no such key.</exception>
    public OptionChanged Unset(string key, IReadOnlyDictionary<string, string> gateway) => Change(Find(key), null, gateway);

    private OptionChanged Change(SettingDefinition definition, string? value, IReadOnlyDictionary<string, string> gateway)
    {
        var before = Describe(definition, gateway);
        lock (gate)
        {
            var next = new Dictionary<string, string>(values);
            if (value is null)
            {
                next.Remove(definition.Key);
            }
            else
            {
                next[definition.Key] = value;
            }

            PrivateFile.WriteJson(path, next, SettingsJson.Default.DictionaryStringString);
            values = next;
        }

        Changed?.Invoke(definition.Key);
        var after = Describe(definition, gateway);
        return new OptionChanged(after, after.Value != before.Value && definition.NeedsRestart);
    }

    private OptionInfo Describe(SettingDefinition definition, IReadOnlyDictionary<string, string> gateway)
    {
        string? own;
        lock (gate)
        {
            own = values.GetValueOrDefault(definition.Key);
        }

        var (value, source) = own is not null ? (own, OptionSource.Laptop)
            : gateway.GetValueOrDefault(definition.Key) is { } told ? (told, OptionSource.Gateway)
            : (definition.Default, OptionSource.Default);
        return new OptionInfo(definition.Key, value, definition.Default, definition.Description, definition.NeedsRestart, source);
    }

    private static SettingDefinition Find(string key) => Definitions.FirstOrDefault(definition => definition.Key == key) ?? throw new FairleadException(
        ErrorCategory.Usage, "option-unknown", $"There is no option '{key}'", $"the options are {string.Join(", ", Definitions.Select(d => d.Key))}", "See 'fairlead options list'.");

    private static SettingDefinition Networks(string key, string description) =>
        new(key, "", description + ", comma-separated", false, value => NormaliseList(key, value, SettingText.IsNetwork, "a network such as '10.0.0.0/8'"), FromGateway: true);

    private static SettingDefinition Domains(string key, string description) =>
        new(key, "", description + ", comma-separated", false, value => NormaliseList(key, value, SettingText.IsDomain, "a domain such as 'corp.example.com'"), FromGateway: true);

    private static string NormaliseList(string key, string value, Func<string, bool> isEntry, string what)
    {
        var entries = SettingText.Entries(value);
        return entries.FirstOrDefault(entry => !isEntry(entry)) is { } wrong ? throw Invalid(key, wrong, $"it is not {what}")
            : entries.Count > SettingText.MaxEntries ? throw Invalid(key, $"a list of {entries.Count}", $"it takes up to {SettingText.MaxEntries}")
            : string.Join(',', entries.Distinct(StringComparer.OrdinalIgnoreCase));
    }

    private static string NormaliseVirtualSubnet(string value) => SettingText.IsVirtualSubnet(value)
        ? value
        : throw Invalid(ClientSettingKeys.VirtualSubnet, value, "it is not an IPv4 network of /8 to /24, such as '246.0.0.0/8'");

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
