using System.CommandLine;
using Fairlead.Cli.Completion;
using Fairlead.Cli.Hosting;
using Fairlead.Cli.Rendering;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;

namespace Fairlead.Cli.Verbs;

/// <summary>consume and primary-namespace.</summary>
internal sealed class ConsumeVerbs(CliHost host, CommonOptions common, DynamicValues dynamicValues)
{
    public IEnumerable<Command> Build()
    {
        var rules = new Argument<string[]>("RULE") { HelpName = "RULE", Description = "NAMESPACE/SERVICE[:PORT], * allowed, ! before it excludes; rules are ordered and the last match wins", Arity = ArgumentArity.ZeroOrMore };
        rules.CompletionSources.Add(context => dynamicValues.Rules(context.WordToComplete));
        var remove = new Option<string[]>("--remove") { Description = "Take these rules away", HelpName = "RULE", AllowMultipleArgumentsPerToken = true, Arity = ArgumentArity.OneOrMore };
        remove.CompletionSources.Add(_ => dynamicValues.CurrentRules());
        var consume = new Verb(
            "consume",
            "Reach services of the cluster by their names from any local program",
            "fairlead consume shop/frontend",
            "fairlead consume 'shop/*' '!shop/metrics'",
            "fairlead consume shop/frontend:8080",
            "fairlead consume --remove 'shop/*'")
            .Does(host, common, async (context, cancellationToken) =>
            {
                var add = context.Parse.GetValue(rules) ?? [];
                var take = context.Get(remove) ?? [];
                if (add.Length + take.Length == 0)
                {
                    throw CommonOptions.Usage("rule-missing", "No rule was given", "consume needs at least one NAMESPACE/SERVICE", "fairlead consume 'shop/*'   (or: fairlead consume list)");
                }

                await ChangeAsync(context, new ConsumeRequest(Add: add.Length > 0 ? add : null, Remove: take.Length > 0 ? take : null), $"Consuming {string.Join(' ', add.Concat(take.Select(r => "without " + r)))}", cancellationToken);
            });
        consume.Arguments.Add(rules);
        consume.Options.Add(remove);
        consume.Options.Add(common.Space);
        foreach (var verb in Subcommands())
        {
            verb.Options.Add(common.Space);
            consume.Subcommands.Add(verb);
        }

        yield return consume;
        yield return PrimaryNamespaceVerb();
    }

    private IEnumerable<Verb> Subcommands()
    {
        var list = new Verb("list", "Show the rules and what is consumed by them", "fairlead consume list", "fairlead consume list --watch")
            .Does(host, common, (context, cancellationToken) => context.ShowAsync(context.WithSpace(LocalApi.Consume), LocalJson.Default.ConsumeState, ConsumeView.WriteWithRules, cancellationToken));
        list.Options.Add(common.Watch);
        yield return list;

        yield return new Verb("clear", "Take every rule away", "fairlead consume clear")
            .Does(host, common, (context, cancellationToken) => ChangeAsync(context, new ConsumeRequest(Replace: []), "Clearing the rules", cancellationToken));

        var file = new Argument<string>("FILE") { HelpName = "FILE", Description = "One rule a line, # begins a comment; - reads standard input" };
        var apply = new Verb("apply", "Make the rules exactly those of a file", "fairlead consume apply rules.txt", "fairlead consume list -o json | jq -r '.rules[]' | fairlead consume apply -")
            .Does(host, common, async (context, cancellationToken) =>
            {
                var text = await RuleFile.ReadAsync(context.Parse.GetRequiredValue(file), host.Terminal.In, cancellationToken);
                await ChangeAsync(context, new ConsumeRequest(Replace: RuleFile.Parse(text)), "Applying the rules", cancellationToken);
            });
        apply.Arguments.Add(file);
        yield return apply;

        yield return new Verb("edit", "Edit the rules in $VISUAL or $EDITOR", "EDITOR=nano fairlead consume edit")
            .Does(host, common, async (context, cancellationToken) =>
            {
                var state = await context.Daemon.GetAsync(context.WithSpace(LocalApi.Consume), LocalJson.Default.ConsumeState, cancellationToken);
                var before = RuleFile.Format(state.Space, state.Rules);
                var after = await RuleFile.EditAsync(host, before, cancellationToken);
                var edited = RuleFile.Parse(after);
                if (edited.SequenceEqual(state.Rules))
                {
                    context.Output.Note("Nothing was changed.");
                    context.Output.Show(state, LocalJson.Default.ConsumeState, ConsumeView.Write);
                    return;
                }

                await ChangeAsync(context, new ConsumeRequest(Replace: edited), "Applying the rules", cancellationToken);
            });
    }

    private Verb PrimaryNamespaceVerb()
    {
        var primary = new Verb("primary-namespace", "The namespace whose services have bare names", "fairlead primary-namespace set shop");
        var ns = new Argument<string>("NAMESPACE") { HelpName = "NAMESPACE", Description = "A namespace of the space" };
        ns.CompletionSources.Add(_ => dynamicValues.Namespaces());
        var set = new Verb("set", "Let services of a namespace be called by their bare names", "fairlead primary-namespace set shop")
            .Does(host, common, async (context, cancellationToken) =>
            {
                var chosen = context.Parse.GetRequiredValue(ns);
                if (chosen.Length == 0)
                {
                    throw CommonOptions.Usage("namespace-empty", "The namespace is empty", "a name was expected", "fairlead primary-namespace clear   (to have none)");
                }

                await PutAsync(context, chosen, cancellationToken);
                DaemonVerbs.Say(context, $"Consumed services of {chosen} have bare names too.");
            });
        set.Arguments.Add(ns);
        set.Options.Add(common.Space);
        primary.Subcommands.Add(set);
        var clear = new Verb("clear", "No bare names", "fairlead primary-namespace clear")
            .Does(host, common, async (context, cancellationToken) =>
            {
                await PutAsync(context, "", cancellationToken);
                DaemonVerbs.Say(context, "There are no bare names any more.");
            });
        clear.Options.Add(common.Space);
        primary.Subcommands.Add(clear);
        return primary;
    }

    private static Task PutAsync(VerbContext context, string ns, CancellationToken cancellationToken) =>
        context.Daemon.SendAsync("PUT", context.WithSpace(LocalApi.PrimaryNamespacePath), new PrimaryNamespace(ns), LocalJson.Default.PrimaryNamespace, cancellationToken);

    /// <summary>Returns when the names resolve and the listeners accept. A service that can't be had is an error, after the others are shown.</summary>
    private static async Task ChangeAsync(VerbContext context, ConsumeRequest request, string what, CancellationToken cancellationToken)
    {
        ConsumeState state;
        await using (new ProgressLine(context.Host, what))
        {
            state = await context.Daemon.SendAsync("POST", context.WithSpace(LocalApi.Consume), request, LocalJson.Default.ConsumeRequest, LocalJson.Default.ConsumeState, cancellationToken);
        }

        context.Output.Show(state, LocalJson.Default.ConsumeState, ConsumeView.Write);
        if (state.Services.Any(s => s.Problem is not null))
        {
            context.ExitCode = (int)ErrorCategory.Conflict;
        }
    }
}
