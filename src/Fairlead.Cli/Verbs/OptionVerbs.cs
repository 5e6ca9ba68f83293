using System.CommandLine;
using Fairlead.Cli.Completion;
using Fairlead.Cli.Hosting;
using Fairlead.Cli.Local;
using Fairlead.Cli.Rendering;
using Fairlead.Contracts.Local;

namespace Fairlead.Cli.Verbs;

/// <summary>options list, get, set.</summary>
internal sealed class OptionVerbs(CliHost host, CommonOptions common, DynamicValues dynamicValues)
{
    public Command Build()
    {
        var options = new Verb("options", "Settings of the daemon", "fairlead options list", "fairlead options set log-level debug");

        options.Subcommands.Add(new Verb("list", "Show every setting, its value and its default", "fairlead options list")
            .Does(host, common, (context, cancellationToken) => context.ShowAsync(LocalApi.Options, LocalJson.Default.OptionList, Write, cancellationToken)));

        var getKey = Key();
        var get = new Verb("get", "Print the value of one setting", "fairlead options get loopback-range")
            .Does(host, common, async (context, cancellationToken) =>
            {
                var list = await context.Daemon.GetAsync(LocalApi.Options, LocalJson.Default.OptionList, cancellationToken);
                var key = context.Parse.GetRequiredValue(getKey);
                var option = list.Options.FirstOrDefault(o => o.Key == key)
                    ?? throw CommonOptions.Usage("option-unknown", $"There is no option '{key}'", $"the options are {string.Join(", ", list.Options.Select(o => o.Key))}", "fairlead options list");
                context.Output.Show(new OptionList([option]), LocalJson.Default.OptionList, (output, _) => output.Line(option.Value));
            });
        get.Arguments.Add(getKey);
        options.Subcommands.Add(get);

        var setKey = Key();
        var value = new Argument<string>("VALUE") { HelpName = "VALUE", Description = "Its new value; lists are comma-separated, '' is an empty one" };
        var set = new Verb("set", "Change one setting; says whether a restart is needed", "fairlead options set log-level debug", "fairlead options set never-proxy-subnets 10.8.0.0/16,10.9.0.0/16")
            .Does(host, common, async (context, cancellationToken) =>
            {
                var path = LocalPath.Below(LocalApi.Options, context.Parse.GetRequiredValue(setKey));
                Show(context, await context.Daemon.SendAsync("PUT", path, new OptionChange(context.Parse.GetRequiredValue(value)), LocalJson.Default.OptionChange, LocalJson.Default.OptionChanged, cancellationToken));
            });
        set.Arguments.Add(setKey);
        set.Arguments.Add(value);
        options.Subcommands.Add(set);

        var unsetKey = Key();
        var unset = new Verb("unset", "Take back what was set here: the gateway's value counts again, or the default", "fairlead options unset log-level")
            .Does(host, common, async (context, cancellationToken) =>
            {
                var path = LocalPath.Below(LocalApi.Options, context.Parse.GetRequiredValue(unsetKey));
                Show(context, await context.Daemon.SendAsync("DELETE", path, LocalJson.Default.OptionChanged, cancellationToken));
            });
        unset.Arguments.Add(unsetKey);
        options.Subcommands.Add(unset);
        return options;
    }

    private static void Show(VerbContext context, OptionChanged changed) => context.Output.Show(changed, LocalJson.Default.OptionChanged, (output, c) =>
    {
        output.Line($"{c.Option.Key} = {c.Option.Value} ({From(c.Option.Source)})");
        if (c.RestartNeeded)
        {
            output.Note("It takes effect with: sudo fairlead restart");
        }
    });

    private static string From(OptionSource source) => source switch
    {
        OptionSource.Laptop => "laptop",
        OptionSource.Gateway => "gateway",
        _ => "default",
    };

    private Argument<string> Key()
    {
        var key = new Argument<string>("KEY") { HelpName = "KEY", Description = "Name of the setting" };
        key.CompletionSources.Add(_ => dynamicValues.OptionKeys());
        return key;
    }

    private static void Write(Output output, OptionList list)
    {
        var table = new Table("KEY", "VALUE", "FROM", "WHAT IT IS");
        foreach (var option in list.Options)
        {
            table.Add(
                option.Key,
                new Cell(OrNone(option.Value), option.Source == OptionSource.Default ? Style.Plain : Style.Strong),
                From(option.Source),
                option.Description
                    + (option.Source == OptionSource.Default ? "" : $"; default: {OrNone(option.Default)}")
                    + (option.NeedsRestart ? "; a change needs a restart" : ""));
        }

        output.Show(table);
    }

    private static string OrNone(string value) => value.Length == 0 ? "none" : value;
}
