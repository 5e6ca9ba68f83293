using System.CommandLine;
using System.CommandLine.Parsing;
using Fairlead.Cli.Completion;
using Fairlead.Cli.Hosting;
using Fairlead.Cli.Rendering;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;

namespace Fairlead.Cli.Verbs;

/// <summary>connect, disconnect and plan.</summary>
internal sealed class ConnectVerbs(CliHost host, CommonOptions common, DynamicValues dynamicValues)
{
    private static readonly string[] Symbols = ["service", "pods", "also", "all"];

    private readonly Option<string?> ns = new("--namespace", "-n") { Description = "Its services have bare names while connected", HelpName = "NAMESPACE" };
    private readonly Option<string[]> mapped = new("--mapped-namespaces") { Description = "Only names of these namespaces resolve, comma-separated", HelpName = "NAMESPACES" };
    private readonly Option<string[]> also = Subnets("--also-proxy", "Route this subnet into the cluster, too");
    private readonly Option<string[]> never = Subnets("--never-proxy", "Never route this subnet into the cluster");
    private readonly Option<string[]> allow = Subnets("--allow-conflicting-subnets", "Let the cluster win in this subnet over routes that this host has");
    private readonly Option<string[]> vnat = Subnets("--vnat", "Reach this subnet by virtual addresses, conflict or not; also: service, pods, also, all");
    private readonly Option<string[]> via = new("--proxy-via") { Description = "Traffic to this subnet (or service, pods, also, all) leaves from a pod of a workload; repeatable", HelpName = "CIDR=WORKLOAD" };
    private readonly Argument<string[]> command = new("COMMAND") { HelpName = "COMMAND", Description = "After --: run it while connected, then disconnect", Arity = ArgumentArity.ZeroOrMore };

    public IEnumerable<Command> Build()
    {
        yield return ConnectVerb();
        var disconnect = new Verb("disconnect", "Take the connection down; every change to this host is undone", "fairlead disconnect")
            .Does(host, common, (context, cancellationToken) => DisconnectAsync(context, cancellationToken));
        disconnect.Aliases.Add("quit");
        disconnect.Options.Add(common.Docker);
        yield return disconnect;

        var plan = new Verb("plan", "What connect routes, remaps and leaves alone, or would, and why", "fairlead plan", "fairlead plan --watch", "fairlead plan -o json")
            .Does(host, common, (context, cancellationToken) => context.ShowAsync(context.WithSpace(LocalApi.Plan), LocalJson.Default.PlanState, ConnectView.Write, cancellationToken));
        plan.Options.Add(common.Space);
        plan.Options.Add(common.Watch);
        plan.Options.Add(common.Docker);
        yield return plan;
    }

    private Verb ConnectVerb()
    {
        ns.CompletionSources.Add(_ => dynamicValues.Namespaces());
        mapped.CompletionSources.Add(_ => dynamicValues.Namespaces());
        vnat.CompletionSources.Add(Symbols);
        via.CompletionSources.Add(Symbols.Select(symbol => symbol + "=").ToArray());
        var connect = new Verb(
            "connect",
            "Put the cluster's service and pod subnets, and its names, on this machine",
            "fairlead connect",
            "fairlead connect -n shop",
            "fairlead connect --allow-conflicting-subnets 10.128.0.0/9",
            "fairlead connect --vnat service --never-proxy 10.96.0.10/32",
            "fairlead connect --proxy-via 127.0.0.1/32=shop/deployment/echo",
            "fairlead connect -- psql -h postgres.shop",
            "fairlead connect --docker")
        {
            RunsCommand = true,
            Details = "Subnets that a VPN or another network of this host has already get virtual addresses, unless told otherwise; 'fairlead plan' shows them.\n",
        };
        foreach (var option in new Option[] { ns, mapped, also, never, allow, via, vnat, common.Space, common.Docker, common.Image })
        {
            connect.Options.Add(option);
        }

        connect.Arguments.Add(command);
        return connect.Does(host, common, ConnectAsync);
    }

    private static Option<string[]> Subnets(string name, string description) => new(name) { Description = description + "; repeatable", HelpName = "CIDR" };

    private async Task ConnectAsync(VerbContext context, CancellationToken cancellationToken)
    {
        var words = context.Parse.GetValue(command) ?? [];
        if (words.Length > 0 && !context.Parse.Tokens.Any(token => token.Type == TokenType.DoubleDash))
        {
            throw CommonOptions.Usage("connect-argument", $"'connect' takes no '{words[0]}'", "a command to run stands behind --", $"fairlead connect -- {string.Join(' ', words)}   (another space: --space NAME)");
        }

        var request = new ConnectRequest(
            context.Get(ns),
            [.. (context.Get(mapped) ?? []).SelectMany(list => list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))],
            context.Get(also),
            context.Get(never),
            context.Get(allow),
            [.. (context.Get(via) ?? []).Select(ReadVia)],
            context.Get(vnat));
        if (context.Get(common.Docker) && words.Length > 0)
        {
            throw CommonOptions.Usage("connect-docker", "A command can't run in the container's network like this", "the container is there for others to join", "podman run --network container:fairlead IMAGE COMMAND   (or, without an engine: fairlead run -- COMMAND)");
        }

        await context.StartContainerIfAskedAsync(cancellationToken);

        var stays = words.Length == 0 || (await context.Daemon.GetAsync(LocalApi.Connect, LocalJson.Default.ConnectState, cancellationToken)).Connected;
        ConnectState state;
        await using (new ProgressLine(host, "Connecting"))
        {
            state = await context.Daemon.SendAsync("POST", context.WithSpace(LocalApi.Connect), request, LocalJson.Default.ConnectRequest, LocalJson.Default.ConnectState, cancellationToken);
        }

        if (words.Length == 0)
        {
            context.Output.Show(state, LocalJson.Default.ConnectState, ConnectView.Write);
            return;
        }

        try
        {
            context.ExitCode = await ForegroundCommand.RunAsync(words);
        }
        finally
        {
            // A connection that was there before stays.
            if (!stays)
            {
                await context.Daemon.SendAsync("DELETE", LocalApi.Connect, CancellationToken.None);
            }
        }
    }

    private async Task DisconnectAsync(VerbContext context, CancellationToken cancellationToken)
    {
        var docker = context.Get(common.Docker);
        await using (new ProgressLine(host, "Disconnecting"))
        {
            // A container whose daemon was killed has to go, too; nothing of it is on this host.
            if (!docker || await context.Daemon.TryGetStatusAsync(cancellationToken) is not null)
            {
                await context.Daemon.SendAsync("DELETE", LocalApi.Connect, cancellationToken);
            }

            if (docker)
            {
                await host.Container().StopAsync(cancellationToken);
            }
        }

        DaemonVerbs.Say(context, docker ? "Disconnected; the daemon's container is removed." : "Disconnected; every change to this host is undone.");
    }

    private static ProxyVia ReadVia(string text) => text.IndexOf('=', StringComparison.Ordinal) is > 0 and var at && at < text.Length - 1
        ? new ProxyVia(text[..at], text[(at + 1)..])
        : throw CommonOptions.Usage("proxy-via-invalid", $"'--proxy-via {text}' makes no sense", "it takes a subnet and a workload with = between them", "fairlead connect --proxy-via 127.0.0.1/32=shop/deployment/echo");
}
