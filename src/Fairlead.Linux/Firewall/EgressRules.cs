using System.Text.Json;
using Fairlead.Platform;
using Fairlead.Platform.Firewall;

namespace Fairlead.Linux.Firewall;

/// <summary>
/// Which chains of an nftables ruleset would refuse a new connection that leaves by a device (libnftables-json(5)). Judged for a packet of which only the device is
/// known, that it has no mark, opens a connection, and is to no address of this host: a rule that asks for anything else counts as not matching.
/// </summary>
internal sealed class EgressRules
{
    /// <summary>As deep as nftables lets chains jump.</summary>
    private const int MaxDepth = 16;

    private readonly Dictionary<(string Family, string Table, string Chain), List<JsonElement>> rules = [];
    private readonly List<((string Family, string Table, string Chain) Key, bool Drops)> bases = [];
    private readonly string device;

    private EgressRules(string device) => this.device = device;

    private enum Verdict
    {
        None,
        Accept,
        Refuse,
        Return,
    }

    /// <param name="ruleset">What <c>nft -j list ruleset</c> prints.</param>
    /// <exception cref="HostException">It is something else.</exception>
    public static IReadOnlyList<EgressBlock> FindBlocks(string ruleset, string device)
    {
        try
        {
            using var document = JsonDocument.Parse(ruleset);
            var all = new EgressRules(device);
            all.Read(document.RootElement);
            return [.. all.bases.Select(one => all.Judge(one.Key, one.Drops)).OfType<EgressBlock>()];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new HostException("The firewall's rules can't be understood.", e);
        }
    }

    private void Read(JsonElement root)
    {
        foreach (var item in root.GetProperty("nftables").EnumerateArray())
        {
            if (item.TryGetProperty("chain", out var chain) && chain.TryGetProperty("hook", out var hook) && hook.GetString() is "output" or "postrouting" && Text(chain, "type") == "filter")
            {
                bases.Add((Key(chain, "name"), Text(chain, "policy") == "drop"));
            }
            else if (item.TryGetProperty("rule", out var rule))
            {
                var key = Key(rule, "chain");
                (rules.TryGetValue(key, out var known) ? known : rules[key] = []).Add(rule.GetProperty("expr"));
            }
        }
    }

    private EgressBlock? Judge((string Family, string Table, string Chain) key, bool drops)
    {
        string? only = null;
        var verdict = Walk(key, ref only, 0);
        var why = verdict == Verdict.Refuse ? only is null ? "a rule of it refuses all that is left" : $"it refuses what leaves by another device than {only}"
            : verdict != Verdict.Accept && drops ? "its policy is drop, and no rule of it lets our device out"
            : null;
        return why is null ? null : new EgressBlock($"{key.Family} {key.Table} {key.Chain}", why);
    }

    private Verdict Walk((string Family, string Table, string Chain) key, ref string? only, int depth)
    {
        if (depth > MaxDepth || !rules.TryGetValue(key, out var chain))
        {
            return Verdict.None;
        }

        foreach (var rule in chain)
        {
            string? excluded = null;
            foreach (var expression in rule.EnumerateArray())
            {
                if (expression.TryGetProperty("match", out var match))
                {
                    if (!Matches(match, ref excluded))
                    {
                        break;
                    }

                    continue;
                }

                var verdict = VerdictOf(expression, key, ref only, depth);
                if (verdict == Verdict.Refuse)
                {
                    only ??= excluded;
                }

                if (verdict is Verdict.Accept or Verdict.Refuse)
                {
                    return verdict;
                }

                if (verdict == Verdict.Return)
                {
                    return Verdict.None;
                }
            }
        }

        return Verdict.None;
    }

    private Verdict VerdictOf(JsonElement expression, (string Family, string Table, string Chain) key, ref string? only, int depth)
    {
        foreach (var part in expression.EnumerateObject())
        {
            switch (part.Name)
            {
                case "accept":
                    return Verdict.Accept;
                case "drop" or "reject":
                    return Verdict.Refuse;
                case "return":
                    return Verdict.Return;
                case "xt" when part.Value.ValueKind == JsonValueKind.Object && Text(part.Value, "name") is "REJECT" or "DROP":
                    return Verdict.Refuse;
                case "jump" or "goto" when Text(part.Value, "target") is { } target:
                    var verdict = Walk(key with { Chain = target }, ref only, depth + 1);
                    return verdict == Verdict.None && part.Name == "goto" ? Verdict.Return : verdict;
                default:
                    break;
            }
        }

        return Verdict.None;
    }

    /// <summary>An unknown one does not match.</summary>
    private bool Matches(JsonElement match, ref string? excluded)
    {
        var (left, right) = (match.GetProperty("left"), match.GetProperty("right"));
        var equal = Text(match, "op") is "==" or "in";
        if (left.TryGetProperty("meta", out var meta))
        {
            switch (Text(meta, "key"))
            {
                case "oifname" or "oif":
                    var listed = Values(right).Exists(IsDevice);
                    if (!equal && !listed)
                    {
                        excluded = string.Join(", ", Values(right).Select(value => value.ToString()));
                    }

                    return listed == equal;
                case "mark":
                    return Values(right).Exists(value => value.ValueKind == JsonValueKind.Number && value.GetInt64() == 0) == equal;
                default:
                    return false;
            }
        }

        // fib daddr type: ours are addresses of the cluster.
        if (left.TryGetProperty("fib", out var fib) && Text(fib, "result") == "type")
        {
            return Values(right).Exists(value => value.ValueKind == JsonValueKind.String && value.GetString() == "unicast") == equal;
        }

        return left.TryGetProperty("ct", out var tracked) && Text(tracked, "key") == "state" && Values(right).Exists(value => value.ValueKind == JsonValueKind.String && value.GetString() == "new") == equal;
    }

    private bool IsDevice(JsonElement value) =>
        value.ValueKind == JsonValueKind.String && value.GetString() is { } name && (name == device || (name.EndsWith('*') && device.StartsWith(name[..^1], StringComparison.Ordinal)));

    private static List<JsonElement> Values(JsonElement right) =>
        right.ValueKind == JsonValueKind.Object && right.TryGetProperty("set", out var set) && set.ValueKind == JsonValueKind.Array ? [.. set.EnumerateArray()]
        : right.ValueKind == JsonValueKind.Array ? [.. right.EnumerateArray()]
        : right.ValueKind is JsonValueKind.String or JsonValueKind.Number ? [right]
        : [];

    private static (string, string, string) Key(JsonElement element, string chain) => (Text(element, "family") ?? "", Text(element, "table") ?? "", Text(element, chain) ?? "");

    private static string? Text(JsonElement element, string name) => element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
