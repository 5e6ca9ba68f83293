using System.CommandLine;
using Fairlead.Cli.Rendering;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;

namespace Fairlead.Cli.Verbs;

/// <summary>Options that mean the same with every verb that takes them.</summary>
internal sealed class CommonOptions
{
    public Option<OutputFormat> Format { get; } = MakeFormat();

    public Option<bool> Verbose { get; } = new("--verbose") { Description = "Say more: on a failure, also where in fairlead it happened", Recursive = true };

    public Option<string?> Space { get; } = new("--space") { Description = "The space to use instead of the one in use", HelpName = "NAME" };

    public Option<bool> Watch { get; } = new("--watch", "-w") { Description = "Show it again whenever it changes, until Ctrl-C" };

    public Option<string?> Kubeconfig { get; } = new("--kubeconfig") { Description = "The kubeconfig file to use, as with kubectl", HelpName = "FILE" };

    public Option<string?> Context { get; } = new("--context") { Description = "The kubeconfig context to use, as with kubectl", HelpName = "NAME" };

    public Option<string?> GatewayNamespace { get; } = MakeGatewayNamespace();

    public Option<bool> Docker { get; } = new("--docker") { Description = "The daemon in a container (docker or podman), whose network other containers join" };

    public Option<string?> Image { get; } = new("--image") { Description = "With --docker: the image to start it from", HelpName = "NAME" };

    public Option<string?> RunDirectory { get; } = new("--run-dir") { Hidden = true };

    public Option<string?> StateDirectory { get; } = new("--state-dir") { Hidden = true };

    public Option<string?> HostsFile { get; } = new("--hosts-file") { Hidden = true };

    /// <summary>For verbs that need a kubeconfig: which, and where in its cluster the gateway lives.</summary>
    public Verb AddCluster(Verb verb)
    {
        verb.Options.Add(Kubeconfig);
        verb.Options.Add(Context);
        verb.Options.Add(GatewayNamespace);
        return verb;
    }

    public static Option<TimeSpan?> Duration(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "DURATION",
        CustomParser = result =>
        {
            var text = result.Tokens[0].Value;
            if (Humane.ParseDuration(text) is { } duration)
            {
                return duration;
            }

            result.AddError($"'{text}' is no duration; 30d, 12h and 90m are");
            return null;
        },
    };

    private static Option<string?> MakeGatewayNamespace()
    {
        var option = new Option<string?>("--namespace", "-n") { Description = $"The gateway's namespace; {ClusterObjects.Namespace} when left out", HelpName = "NAMESPACE" };
        option.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && !Subjects.IsLabel(token.Value))
            {
                result.AddError($"'{token.Value}' is not a namespace");
            }
        });
        return option;
    }

    private static Option<OutputFormat> MakeFormat()
    {
        var option = new Option<OutputFormat>("--output", "-o")
        {
            Description = "How to print the result; a table when left out",
            HelpName = "table|json|yaml",
            Recursive = true,
            CustomParser = result =>
            {
                switch (result.Tokens[0].Value)
                {
                    case "table":
                        return OutputFormat.Table;
                    case "json":
                        return OutputFormat.Json;
                    case "yaml":
                        return OutputFormat.Yaml;
                    default:
                        result.AddError($"'{result.Tokens[0].Value}' is no output format; table, json and yaml are");
                        return OutputFormat.Table;
                }
            },
        };
        option.CompletionSources.Clear();
        option.CompletionSources.Add("table", "json", "yaml");
        return option;
    }

    public static FairleadException Usage(string code, string message, string? why = null, string? hint = null) => new(ErrorCategory.Usage, code, message, why, hint);
}
