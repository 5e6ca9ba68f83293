using System.CommandLine;
using Fairlead.Cli.Hosting;

namespace Fairlead.Cli.Verbs;

/// <summary>The hidden <c>companion</c> itself; every verb that hears from the daemon that it is wanted starts it.</summary>
internal sealed class CompanionVerbs(CliHost host, CommonOptions common)
{
    public IEnumerable<Command> Build()
    {
        var companion = new Verb("companion", "Be the companion (started by the verbs that need it)", "fairlead companion")
            .Does(host, common, (context, cancellationToken) => host.Companion().RunAsync(context.SocketPath, cancellationToken));
        companion.Options.Add(common.RunDirectory);
        companion.Hidden = true;
        yield return companion;
    }
}
