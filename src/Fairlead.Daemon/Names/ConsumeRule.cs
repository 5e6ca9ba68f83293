using System.Globalization;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;

namespace Fairlead.Daemon.Names;

/// <summary>
/// One rule of what to consume: <c>[!]NAMESPACE/SERVICE[:PORT]</c>. Names may hold <c>*</c> (any characters) and <c>?</c> (one character); <c>!</c>
/// takes away again what earlier rules gave; without a port every port is meant.
/// </summary>
internal sealed record ConsumeRule(string Text, bool Excludes, string Namespace, string Service, int? Port)
{
    /// <summary>A DNS label (RFC 1123 §2.1), the longest part that a rule can name.</summary>
    private const int MaxLabel = 63;

    /// <exception cref="FairleadException">It is no rule; the reason names the part that makes no sense.</exception>
    public static ConsumeRule Parse(string text)
    {
        var rest = text.AsSpan();
        var excludes = rest.StartsWith("!");
        if (excludes)
        {
            rest = rest[1..];
        }

        if (rest.IsEmpty)
        {
            throw Invalid(text, "it is empty");
        }

        var slash = rest.IndexOf('/');
        if (slash < 0)
        {
            throw Invalid(text, $"'{rest}' has no namespace", $"Write NAMESPACE/SERVICE, such as 'default/{rest}', or '*/{rest}' for every namespace.");
        }

        var @namespace = rest[..slash];
        var service = rest[(slash + 1)..];
        int? port = null;
        var colon = service.IndexOf(':');
        if (colon >= 0)
        {
            var number = service[(colon + 1)..];
            if (!int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var value) || value is < 1 or > 65535)
            {
                throw Invalid(text, $"'{number}' is not a port (a number from 1 to 65535)");
            }

            port = value;
            service = service[..colon];
        }

        CheckPattern(text, "namespace", @namespace);
        CheckPattern(text, "service", service);
        return new ConsumeRule(text, excludes, @namespace.ToString(), service.ToString(), port);
    }

    public bool MatchesService(string @namespace, string service) => Glob.IsMatch(Namespace, @namespace) && Glob.IsMatch(Service, service);

    private static void CheckPattern(string text, string what, ReadOnlySpan<char> pattern)
    {
        if (pattern.IsEmpty)
        {
            throw Invalid(text, $"the {what} is empty");
        }

        if (pattern.Length > MaxLabel)
        {
            throw Invalid(text, $"the {what} is longer than {MaxLabel} characters");
        }

        foreach (var c in pattern)
        {
            if (c is not ((>= 'a' and <= 'z') or (>= '0' and <= '9') or '-' or '*' or '?'))
            {
                throw Invalid(text, char.IsAsciiLetterUpper(c)
                    ? $"'{pattern}' has upper-case letters, which the {what} of a Kubernetes service never has"
                    : $"'{c}' can't be part of the {what} '{pattern}'");
            }
        }
    }

    private static FairleadException Invalid(string text, string why, string? hint = null) => new(
        ErrorCategory.Usage, "rule-invalid", $"'{text}' is not a rule", why, hint ?? "Rules look like 'shop/frontend', 'shop/*', '*/*', 'shop/frontend:8080' or '!shop/metrics'.");
}
