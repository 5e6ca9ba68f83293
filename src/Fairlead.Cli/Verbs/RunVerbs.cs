using System.CommandLine;
using Fairlead.Cli.Completion;
using Fairlead.Cli.Hosting;
using Fairlead.Cli.Rendering;

namespace Fairlead.Cli.Verbs;

/// <summary>run, and the two hidden verbs that are its other processes.</summary>
internal sealed class RunVerbs(CliHost host, CommonOptions common, DynamicValues dynamicValues)
{
    private readonly Option<string> net = MakeNet();
    private readonly Option<string[]> consume = new("--consume") { Description = "A rule of what is reached, as for 'fairlead consume'; nothing else of the cluster is. Repeatable", HelpName = "RULE", AllowMultipleArgumentsPerToken = false };
    private readonly Option<string?> primaryNamespace = new("--namespace", "-n") { Description = "The namespace whose services have bare names", HelpName = "NAMESPACE" };
    private readonly Option<int> channel = new("--channel") { Required = true };

    public IEnumerable<Command> Build()
    {
        consume.CompletionSources.Add(completion => dynamicValues.Rules(completion.WordToComplete));
        primaryNamespace.CompletionSources.Add(_ => dynamicValues.Namespaces());
        var command = MakeCommand();
        var run = new Verb(
            "run",
            "Run a command in a private network that reaches the cluster; no root, no daemon, nothing on this host changes",
            "fairlead run -- curl http://frontend.shop/",
            "fairlead run -n shop -- npm test",
            "fairlead run --consume 'shop/*' -- bash",
            "fairlead run --space staging -- psql -h postgres.shop -U shop")
        {
            Details = """
                The space is one of your own: 'fairlead join --for-run TOKEN' first. The command is found, and ends, as without fairlead: its exit code, signals and terminal are its own.
                Inside, localhost is the command's own; the internet and your VPN are reached as on the host.

                """,
        }.Does(host, common, async (context, cancellationToken) =>
        {
            var request = Request(context);
            await using var progress = host.Terminal.ErrorIsTerminal ? new ProgressLine(host, "Connecting") : null;
            context.ExitCode = await host.Run().RunAsync(request, context.Parse.GetRequiredValue(command), progress, context.Output.Warn, cancellationToken);
        });
        AddWishes(run);
        run.Options.Add(net);
        run.Arguments.Add(command);
        yield return run;

        var pid = new Option<int>("--pid") { Required = true };
        var carry = new Verb("run-carry", "Carry the network of a command (started by 'fairlead run')", "fairlead run-carry --channel 5 --pid 4711")
            .Does(host, common, (context, cancellationToken) =>
                host.Run().CarryAsync(Request(context), context.Parse.GetRequiredValue(channel), context.Parse.GetRequiredValue(pid), cancellationToken));
        AddWishes(carry);
        carry.Options.Add(channel);
        carry.Options.Add(pid);
        carry.Hidden = true;
        yield return carry;

        var inner = MakeCommand();
        var enter = new Verb("run-inside", "Be the inside of a private network (started by 'fairlead run')", "fairlead run-inside --channel 5 -- true")
            .Does(host, common, async (context, cancellationToken) =>
                context.ExitCode = await host.Run().EnterAsync(context.Parse.GetRequiredValue(channel), context.Parse.GetRequiredValue(inner), cancellationToken));
        enter.Options.Add(channel);
        enter.Arguments.Add(inner);
        enter.Hidden = true;
        yield return enter;
    }

    private void AddWishes(Verb verb)
    {
        verb.Options.Add(common.Space);
        verb.Options.Add(consume);
        verb.Options.Add(primaryNamespace);
    }

    private RunRequest Request(VerbContext context)
    {
        var rules = context.Get(consume) ?? [];
        switch (context.Get(net))
        {
            case "consume" when rules.Length == 0:
                throw CommonOptions.Usage("run-rules", "Nothing is chosen to be consumed", "--net consume reaches what rules name, and there is none", "fairlead run --consume 'NAMESPACE/*' -- COMMAND");
            case "tun" when rules.Length > 0:
                throw CommonOptions.Usage("run-rules", "Rules are of no use with --net tun", "it reaches the cluster's whole subnets", "Leave out --net or --consume.");
            default:
                return new RunRequest(context.Space, rules, context.Get(primaryNamespace));
        }
    }

    private static Argument<string[]> MakeCommand() => new("COMMAND") { HelpName = "COMMAND", Description = "The command and its arguments, after --", Arity = ArgumentArity.OneOrMore };

    private static Option<string> MakeNet()
    {
        var option = new Option<string>("--net")
        {
            Description = "tun: the cluster's whole subnets; consume: only what --consume names. tun when left out, consume with --consume",
            HelpName = "tun|consume",
        };
        option.AcceptOnlyFromAmong("tun", "consume");
        return option;
    }
}
