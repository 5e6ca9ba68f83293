using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fairlead.Cli.Hosting;
using Fairlead.Cli.Rendering;
using Fairlead.Contracts.Administration;
using Fairlead.Contracts.Errors;

namespace Fairlead.Cli.Verbs;

/// <summary>gateway install|upgrade|uninstall|status, and helm install|upgrade|uninstall for hands that are used to it.</summary>
internal sealed class GatewayVerbs(CliHost host, CommonOptions common)
{
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromMinutes(3);

    /// <summary>A values file is written by hand; whatever is larger is something else.</summary>
    private const int MaxValuesFile = 1 << 20;

    public IEnumerable<Command> Build()
    {
        var gateway = new Verb("gateway", "The gateway of a space, in the cluster", "fairlead gateway install --set spaceName=team", "fairlead gateway status");
        gateway.Subcommands.Add(Install());
        gateway.Subcommands.Add(Upgrade());
        gateway.Subcommands.Add(Uninstall());
        gateway.Subcommands.Add(common.AddCluster(new Verb("status", "Show the gateway in the cluster: its replicas, who is connected, what is wrong", "fairlead gateway status -o json")
            .Does(host, common, async (context, cancellationToken) => Show(context, await host.Administration().GetGatewayAsync(context.Cluster, cancellationToken)))));
        yield return gateway;

        var helm = new Verb("helm", "The same as gateway install, upgrade and uninstall", "fairlead helm upgrade --set replicas=3");
        helm.Subcommands.Add(Install());
        helm.Subcommands.Add(Upgrade());
        helm.Subcommands.Add(Uninstall());
        yield return helm;
    }

    private Verb Install() => Installing(
        new Verb(
            "install",
            "Install the gateway in the cluster, or bring it up to date; may be repeated",
            "fairlead gateway install --set spaceName=team",
            "fairlead gateway install --values team.yaml --set 'replicas=3,namespaces={shop,dev}'",
            "fairlead gateway install --dry-run | kubectl diff -f -"),
        upgrade: false,
        reset: null);

    private Verb Upgrade() => Installing(
        new Verb(
            "upgrade",
            "Change an installed gateway; what was set before is kept",
            "fairlead gateway upgrade --set image.tag=0.2.0",
            "fairlead gateway upgrade --set 'client.routing.neverProxySubnets={10.8.0.0/16}'",
            "fairlead gateway upgrade --reset-values --values team.yaml"),
        upgrade: true,
        reset: new Option<bool>("--reset-values") { Description = "Forget what was set before" });

    private Verb Installing(Verb verb, bool upgrade, Option<bool>? reset)
    {
        var values = new Option<string[]>("--values", "-f") { Description = "A YAML file of values, - is standard input; may be repeated", HelpName = "FILE" };
        var set = new Option<string[]>("--set") { Description = "Values as Helm writes them: a.b=1,c={x,y},d[0].e=f; null takes one back; may be repeated", HelpName = "KEY=VALUE" };
        var texts = new Option<string[]>("--set-string") { Description = "The same, every value a text", HelpName = "KEY=VALUE" };
        var json = new Option<string[]>("--set-json") { Description = "The same, every value JSON", HelpName = "KEY=JSON" };
        var dryRun = new Option<bool>("--dry-run") { Description = "Print the manifests and change nothing" };
        var noWait = new Option<bool>("--no-wait") { Description = "Don't wait until the gateway is ready" };
        var timeout = CommonOptions.Duration("--timeout", "How long to wait until it is ready: 5m, 90s; 3m when left out");
        foreach (var option in new Option?[] { values, set, texts, json, reset, dryRun, noWait, timeout })
        {
            if (option is not null)
            {
                verb.Options.Add(option);
            }
        }

        return common.AddCluster(verb.Does(host, common, async (context, cancellationToken) =>
        {
            var options = new GatewayInstallOptions(
                new GatewayValueInputs([.. (context.Get(values) ?? []).Select(ReadFile)], context.Get(json) ?? [], context.Get(set) ?? [], context.Get(texts) ?? []),
                upgrade,
                reset is not null && context.Get(reset),
                context.Get(noWait) ? null : context.Get(timeout) ?? DefaultTimeout);
            if (context.Get(dryRun))
            {
                WriteManifests(context, await host.Administration().RenderGatewayAsync(context.Cluster, options, cancellationToken));
                return;
            }

            await using (var progress = new ProgressLine(host, upgrade ? "Upgrading the gateway" : "Installing the gateway"))
            {
                await host.Administration().InstallGatewayAsync(context.Cluster, options, progress, cancellationToken);
            }

            if (options.Wait is null)
            {
                DaemonVerbs.Say(context, $"Applied. See how far it is: {Next("gateway status", context)}");
                return;
            }

            Show(context, await host.Administration().GetGatewayAsync(context.Cluster, cancellationToken));
            context.Output.Note($"next: {Next("space invite USER --namespaces NAMESPACE", context)}");
        }));
    }

    private Verb Uninstall()
    {
        var yes = new Option<bool>("--yes", "-y") { Description = "Don't ask, also when people are connected" };
        var verb = new Verb("uninstall", "Remove the gateway, its people, grants and rights from the cluster", "fairlead gateway uninstall --context staging");
        verb.Options.Add(yes);
        return common.AddCluster(verb.Does(host, common, async (context, cancellationToken) =>
        {
            if (!context.Get(yes))
            {
                AskAbout(context, await host.Administration().GetGatewayAsync(context.Cluster, cancellationToken));
            }

            bool any;
            await using (var progress = new ProgressLine(host, "Removing the gateway"))
            {
                any = await host.Administration().UninstallGatewayAsync(context.Cluster, progress, cancellationToken);
            }

            DaemonVerbs.Say(context, any ? "The gateway is removed." : $"There was nothing of a gateway in namespace {context.Cluster.Namespace}.");
        }));
    }

    /// <exception cref="FairleadException">The person says no, or can't be asked.</exception>
    private void AskAbout(VerbContext context, GatewayDeployment gateway)
    {
        var who = gateway.People.Count > 0 ? $"{Humane.Plural(gateway.People.Count, "person", "people")} connected ({string.Join(", ", gateway.People.Take(10).Select(p => p.Subject))}{(gateway.People.Count > 10 ? ", …" : "")})"
            : gateway.Asked ? null
            : "a gateway running that can't be asked who is connected";
        if (who is null)
        {
            return;
        }

        if (host.Terminal is { InIsTerminal: true, ErrorIsTerminal: true })
        {
            host.Terminal.Error.Write($"There {(gateway.People.Count > 1 ? "are" : "is")} {who}. They lose access, and have to be invited anew. Remove the gateway? [y/N] ");
            host.Terminal.Error.Flush();
            if (host.Terminal.In.ReadLine()?.Trim() is "y" or "Y" or "yes")
            {
                return;
            }

            throw new FairleadException(ErrorCategory.Conflict, "people-connected", "The gateway stays as it is", "you did not say yes");
        }

        throw new FairleadException(ErrorCategory.Conflict, "people-connected", "The gateway is in use and was not removed", $"there {(gateway.People.Count > 1 ? "are" : "is")} {who}", "Remove it all the same: add --yes.");
    }

    private GatewayValuesFile ReadFile(string file)
    {
        try
        {
            var content = file == "-" ? host.Terminal.In.ReadToEnd()
                : new FileInfo(file).Length <= MaxValuesFile ? File.ReadAllText(file)
                : throw CommonOptions.Usage("values-unreadable", $"The values in {file} can't be read", "the file is far too large");
            return new GatewayValuesFile(file == "-" ? "standard input" : file, content);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CommonOptions.Usage("values-unreadable", $"The values in {file} can't be read", e.Message, "--values FILE names a YAML file, and - standard input.");
        }
    }

    private static void WriteManifests(VerbContext context, IReadOnlyList<JsonObject> objects)
    {
        if (context.Output.Format == OutputFormat.Json)
        {
            context.Output.Show(new ManifestList("v1", "List", objects), CliJson.Default.ManifestList, (_, _) => { });
            return;
        }

        foreach (var value in objects)
        {
            context.Output.Writer.Write("---\n");
            YamlText.Write(JsonSerializer.SerializeToElement(value, CliJson.Default.JsonObject), context.Output.Writer);
        }
    }

    /// <summary>The command, with what was chosen besides the defaults.</summary>
    private static string Next(string verb, VerbContext context) =>
        $"fairlead {verb}{Flag("--kubeconfig", context.Cluster.KubeconfigPath)}{Flag("--context", context.Cluster.Context)}{Flag("-n", context.Cluster.Namespace == Contracts.Cluster.ClusterObjects.Namespace ? null : context.Cluster.Namespace)}";

    private static string Flag(string name, string? value) => value is null ? "" : $" {name} {value}";

    private void Show(VerbContext context, GatewayDeployment gateway)
    {
        if (gateway.Problems.Count > 0 || !gateway.Installed)
        {
            context.ExitCode = ExitCodes.Failed;
        }

        context.Output.Show(gateway, CliJson.Default.GatewayDeployment, (output, g) => GatewayView.Write(output, g, host.Time.GetUtcNow()));
    }
}
