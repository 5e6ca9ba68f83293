using System.Text.RegularExpressions;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;

namespace Fairlead.Companion.Administration;

/// <summary>What an invite grants, as people write it: <c>shop</c>, <c>dev-*</c>, <c>shop/frontend</c>.</summary>
internal static partial class NamespaceRules
{
    private const int MaxRules = 256;

    /// <exception cref="FairleadException">Not a rule; the message names it.</exception>
    public static IReadOnlyList<GrantRule> Parse(IReadOnlyList<string> rules)
    {
        if (rules.Count > MaxRules)
        {
            throw new FairleadException(ErrorCategory.Usage, "rule-invalid", $"{rules.Count} rules are too many", $"a Grant holds up to {MaxRules}", "Use a pattern such as 'dev-*'.");
        }

        return [.. rules.Select(Parse)];
    }

    public static GrantRule Parse(string rule) => rule.Split('/') switch
    {
        [var ns] when Glob().IsMatch(ns) => new GrantRule([ns], ["*"], [GrantVerbs.Consume]),
        [var ns, var service] when Glob().IsMatch(ns) && Glob().IsMatch(service) => new GrantRule([ns], [service], [GrantVerbs.Consume]),
        _ => throw new FairleadException(
            ErrorCategory.Usage, "rule-invalid", $"'{rule}' is not a rule", "a rule is NAMESPACE or NAMESPACE/SERVICE, in lower case, with * and ? as wildcards", "For example --namespaces 'shop,dev-*/api'."),
    };

    [GeneratedRegex(@"^[-a-z0-9*?]{1,63}\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Glob();
}
