using System.CommandLine;
using Fairlead.Cli.Completion;
using Fairlead.Cli.Hosting;
using Fairlead.Cli.Local;
using Fairlead.Cli.Rendering;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;

namespace Fairlead.Cli.Verbs;

/// <summary>join, leave, space list|use|show, services list: a space as its user sees it.</summary>
internal sealed class SpaceVerbs(CliHost host, CommonOptions common, DynamicValues dynamicValues)
{
    /// <summary>Far more than a token; what is piped in by mistake isn't read to its end.</summary>
    private const int MaxTokenCharacters = 64 << 10;

    private readonly Option<bool> forRun = new("--for-run") { Description = "Of your own spaces, which 'fairlead run' uses; takes no daemon" };

    public IEnumerable<Command> Build()
    {
        var token = new Argument<string?>("TOKEN") { HelpName = "TOKEN", Description = "The join token you were given; - reads it from standard input", Arity = ArgumentArity.ZeroOrOne };
        var join = new Verb("join", "Join a space with a token, or with your kubeconfig", "fairlead join flj1.eyJ...", "fairlead join - < token.txt", "fairlead join --context staging", "fairlead join --for-run - < token.txt")
            .Does(host, common, (context, cancellationToken) => (context.Parse.GetValue(token), context.Cluster) switch
            {
                ({ } text, { KubeconfigPath: null, Context: null }) => JoinAsync(context, text, cancellationToken),
                (null, { KubeconfigPath: null, Context: null }) => throw CommonOptions.Usage("join-how", "There is nothing to join with", "a join token or a kubeconfig is needed", "fairlead join TOKEN, or fairlead join --context NAME"),
                (null, _) => JoinByKubeconfigAsync(context, cancellationToken),
                _ => throw CommonOptions.Usage("join-how", "A token and a kubeconfig are two ways to join", "only one can be used at a time", "Leave out the token, or --kubeconfig and --context."),
            });
        join.Arguments.Add(token);
        join.Options.Add(common.Kubeconfig);
        join.Options.Add(common.Context);
        join.Options.Add(forRun);
        join.Options.Add(common.Docker);
        join.Options.Add(common.Image);
        yield return join;

        var leave = new Verb("leave", "Leave a space: forget its keys, rules and addresses", "fairlead leave", "fairlead leave --space staging")
            .Does(host, common, async (context, cancellationToken) =>
            {
                if (context.Get(forRun))
                {
                    DaemonVerbs.Say(context, $"Left space {await host.Run().LeaveAsync(context.Space, cancellationToken)}, which 'fairlead run' had.");
                    return;
                }

                var name = (await CurrentAsync(context, cancellationToken)).Name;
                await context.Daemon.SendAsync("DELETE", LocalPath.Below(LocalApi.Spaces, name), cancellationToken);
                DaemonVerbs.Say(context, $"Left space {name}.");
            });
        leave.Options.Add(common.Space);
        leave.Options.Add(forRun);
        leave.Options.Add(common.Docker);
        yield return leave;

        var services = new Verb("services", "Services of the space", "fairlead services list -n shop");
        services.Subcommands.Add(ServicesList());
        yield return services;
    }

    public IEnumerable<Command> BuildBelowSpace()
    {
        var list = new Verb("list", "Show the spaces this machine has joined", "fairlead space list")
            .Does(host, common, async (context, cancellationToken) =>
            {
                if (context.Get(forRun))
                {
                    context.Output.Show(await host.Run().ListAsync(cancellationToken), LocalJson.Default.SpaceList, WriteOwn);
                    return;
                }

                await context.ShowAsync(LocalApi.Spaces, LocalJson.Default.SpaceList, (output, value) =>
                {
                    if (value.Spaces.Count == 0)
                    {
                        output.Line("No space is joined. next: fairlead join TOKEN");
                        return;
                    }

                    StatusView.WriteSpaces(output, value.Spaces);
                }, cancellationToken);
            });
        list.Options.Add(common.Watch);
        list.Options.Add(forRun);
        yield return list;

        var name = new Argument<string>("NAME") { HelpName = "NAME", Description = "Name of a joined space" };
        name.CompletionSources.Add(_ => dynamicValues.Spaces());
        var use = new Verb("use", "Make a space the one in use: plain names are its names", "fairlead space use staging")
            .Does(host, common, async (context, cancellationToken) =>
            {
                var chosen = context.Parse.GetRequiredValue(name);
                await (context.Get(forRun) ? host.Run().UseAsync(chosen, cancellationToken) : context.Daemon.SendAsync("POST", LocalPath.Below(LocalApi.Spaces, chosen, "use"), cancellationToken));
                DaemonVerbs.Say(context, $"Space {chosen} is in use{(context.Get(forRun) ? " for 'fairlead run'" : "")}.");
            });
        use.Arguments.Add(name);
        use.Options.Add(forRun);
        yield return use;

        var show = new Verb("show", "Show one space: who you are there and how it is connected", "fairlead space show", "fairlead space show --space staging -o yaml")
            .Does(host, common, async (context, cancellationToken) =>
            {
                var space = await CurrentAsync(context, cancellationToken);
                context.Output.Show(space, LocalJson.Default.SpaceStatus, (output, s) => StatusView.WriteSpace(output, s, host.Time.GetUtcNow()));
            });
        show.Options.Add(common.Space);
        yield return show;
    }

    private Verb ServicesList()
    {
        var ns = new Option<string?>("--namespace", "-n") { Description = "Only this namespace", HelpName = "NAMESPACE" };
        ns.CompletionSources.Add(_ => dynamicValues.Namespaces());
        var list = new Verb("list", "Show the services that are granted to you", "fairlead services list", "fairlead services list -n shop --watch")
            .Does(host, common, (context, cancellationToken) =>
                context.ShowAsync(LocalPath.With(context.WithSpace(LocalApi.Services), "namespace", context.Get(ns)), LocalJson.Default.ServiceList, ConsumeView.Write, cancellationToken));
        list.Options.Add(ns);
        list.Options.Add(common.Space);
        list.Options.Add(common.Watch);
        return list;
    }

    private async Task JoinAsync(VerbContext context, string token, CancellationToken cancellationToken)
    {
        if (token == "-")
        {
            var buffer = new char[MaxTokenCharacters];
            var read = await context.Host.Terminal.In.ReadBlockAsync(buffer, cancellationToken);
            token = new string(buffer, 0, read);
        }

        // Read here first: a token cut off by a line break needs no daemon to be told from a whole one.
        var parsed = JoinToken.Parse(token);
        SpaceStatus space;
        await using (new ProgressLine(context.Host, $"Joining space {parsed.SpaceName}"))
        {
            space = await SendJoinAsync(context, new JoinRequest(token), cancellationToken);
        }

        ShowJoined(context, space);
    }

    /// <summary>By the companion, as this user: the daemon is told where the kubeconfig is and never reads it.</summary>
    private async Task JoinByKubeconfigAsync(VerbContext context, CancellationToken cancellationToken)
    {
        var cluster = new ClusterAccess(KubeconfigFiles(context), context.Cluster.Context, "");
        if (!context.Get(forRun))
        {
            context.Host.Companion().Start(context.SocketPath);
        }

        SpaceStatus space;
        await using (new ProgressLine(context.Host, $"Asking for a certificate in {(cluster.Context is { } name ? $"context {name}" : "the current context")}"))
        {
            space = await SendJoinAsync(context, new JoinRequest(null, cluster), cancellationToken);
        }

        ShowJoined(context, space);
    }

    /// <summary>As kubectl finds them, but absolute: the companion has another working directory.</summary>
    private static string KubeconfigFiles(VerbContext context)
    {
        var listed = context.Cluster.KubeconfigPath ?? context.Host.Environment("KUBECONFIG");
        if (string.IsNullOrEmpty(listed))
        {
            var home = context.Host.Environment("HOME") is { Length: > 0 } directory
                ? directory
                : throw CommonOptions.Usage("kubeconfig-unusable", "There is no kubeconfig", "neither $KUBECONFIG nor $HOME is set", "Name one with --kubeconfig.");
            listed = Path.Combine(home, ".kube", "config");
        }

        var files = context.Cluster.KubeconfigPath is not null ? [listed] : listed.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return string.Join(Path.PathSeparator, files.Select(Path.GetFullPath));
    }

    /// <summary>Nothing is connected to any of them while no command runs.</summary>
    private static void WriteOwn(Output output, SpaceList list)
    {
        if (list.Spaces.Count == 0)
        {
            output.Line("No space is joined for 'fairlead run'. next: fairlead join --for-run TOKEN");
            return;
        }

        var table = new Table("SPACE", "IN USE", "YOU", "CERTIFICATE UNTIL");
        foreach (var space in list.Spaces)
        {
            table.Add(space.Name, space.InUse ? "yes" : "", space.Subject, $"{space.CertificateExpires:u}");
        }

        output.Show(table);
    }

    /// <summary>The daemon joins, or for 'fairlead run' this process does, as the user.</summary>
    private async Task<SpaceStatus> SendJoinAsync(VerbContext context, JoinRequest request, CancellationToken cancellationToken)
    {
        if (context.Get(forRun))
        {
            return await host.Run().JoinAsync(request, cancellationToken);
        }

        await context.StartContainerIfAskedAsync(cancellationToken);
        return await context.Daemon.SendAsync("POST", LocalApi.Join, request, LocalJson.Default.JoinRequest, LocalJson.Default.SpaceStatus, cancellationToken);
    }

    private void ShowJoined(VerbContext context, SpaceStatus space) => context.Output.Show(space, LocalJson.Default.SpaceStatus, (output, s) =>
    {
        output.Line($"Joined space {s.Name} as {s.Subject}.");
        StatusView.WriteProblems(output, [s]);
        output.Note(context.Get(forRun) ? "next: fairlead run -- COMMAND" : context.Get(common.Docker) ? "next: fairlead connect --docker" : "next: fairlead services list, then fairlead consume NAMESPACE/*");
    });

    /// <summary>The space that was named, or the one in use.</summary>
    private static async Task<SpaceStatus> CurrentAsync(VerbContext context, CancellationToken cancellationToken)
    {
        var list = await context.Daemon.GetAsync(LocalApi.Spaces, LocalJson.Default.SpaceList, cancellationToken);
        if (context.Space is { } name)
        {
            return list.Spaces.FirstOrDefault(s => s.Name == name)
                ?? throw CommonOptions.Usage("space-unknown", $"There is no space '{name}' on this machine", list.Spaces.Count == 0 ? "none is joined" : $"joined are {string.Join(", ", list.Spaces.Select(s => s.Name))}", "fairlead space list");
        }

        return list.Spaces.FirstOrDefault(s => s.InUse)
            ?? throw new FairleadException(ErrorCategory.NotConnected, "no-space", "No space is in use", list.Spaces.Count == 0 ? "none is joined" : "several are joined and none was chosen", list.Spaces.Count == 0 ? "fairlead join TOKEN" : "fairlead space use NAME");
    }
}
