using System.Text;
using System.Text.RegularExpressions;
using Fairlead.Contracts.Administration;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;

namespace Fairlead.Companion.Administration;

/// <summary>The files of deploy/manifests with an installation's choices filled in. Values are checked first, so that none can add YAML of its own.</summary>
internal static partial class Manifests
{
    private const int MaxReplicas = 32;
    private const string ResourcePrefix = "manifests/";

    /// <summary>YAML documents in the order in which they are applied.</summary>
    /// <exception cref="FairleadException">An option makes no sense.</exception>
    public static string Render(GatewayInstallOptions options)
    {
        Check(options);
        var text = new StringBuilder();
        foreach (var name in typeof(Manifests).Assembly.GetManifestResourceNames().Where(n => n.StartsWith(ResourcePrefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            using var reader = new StreamReader(typeof(Manifests).Assembly.GetManifestResourceStream(name)!);
            text.Append("---\n").Append(reader.ReadToEnd().TrimEnd()).Append('\n');
        }

        var yaml = Replace(text.ToString(), "image: \"fairlead/fairlead:dev\"", $"image: \"{options.Image}\"");
        yaml = Replace(yaml, "replicas: 1\n", $"replicas: {options.Replicas}\n");
        yaml = Replace(yaml, "value: \"default\"", $"value: \"{options.SpaceName}\"");
        return Replace(yaml, "value: \"\"", $"value: \"{string.Join(',', options.Endpoints)}\"");
    }

    private static void Check(GatewayInstallOptions options)
    {
        if (!Image().IsMatch(options.Image) || options.Image.Length > 512)
        {
            throw Invalid($"'{options.Image}' is not an image's name");
        }

        if (!Subjects.IsLabel(options.SpaceName))
        {
            throw Invalid($"'{options.SpaceName}' can't be a space's name: up to 63 lower-case letters, digits and inner hyphens");
        }

        if (options.Replicas is < 1 or > MaxReplicas)
        {
            throw Invalid($"{options.Replicas} replicas: it takes 1 to {MaxReplicas}");
        }

        foreach (var endpoint in options.Endpoints)
        {
            if (!Endpoint().IsMatch(endpoint) || endpoint.Length > 300)
            {
                throw Invalid($"'{endpoint}' is not an endpoint: HOST:API-PORT:DATA-PORT");
            }
        }
    }

    private static FairleadException Invalid(string what) => new(ErrorCategory.Usage, "option-invalid", what, hint: "See 'fairlead gateway install --help'.");

    /// <summary>The files and this class must agree: each placeholder is there exactly once.</summary>
    private static string Replace(string text, string placeholder, string value)
    {
        var at = text.IndexOf(placeholder, StringComparison.Ordinal);
        return at >= 0 && text.IndexOf(placeholder, at + 1, StringComparison.Ordinal) < 0
            ? string.Concat(text.AsSpan(0, at), value, text.AsSpan(at + placeholder.Length))
            : throw new InvalidOperationException($"deploy/manifests must hold '{placeholder.Trim()}' exactly once");
    }

    [GeneratedRegex(@"^[a-z0-9][a-zA-Z0-9._/:@-]*\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Image();

    [GeneratedRegex(@"^([a-zA-Z0-9.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}:[0-9]{1,5}\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Endpoint();
}
