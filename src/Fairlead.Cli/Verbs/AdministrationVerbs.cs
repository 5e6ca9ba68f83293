using System.CommandLine;
using Fairlead.Cli.Hosting;
using Fairlead.Cli.Rendering;
using Fairlead.Contracts.Administration;

namespace Fairlead.Cli.Verbs;

/// <summary>space invite|revoke|grants: who may use a space, said with a kubeconfig.</summary>
internal sealed class AdministrationVerbs(CliHost host, CommonOptions common)
{
    /// <summary>Of a join token.</summary>
    private static readonly TimeSpan DefaultLifetime = TimeSpan.FromDays(30);

    public IEnumerable<Command> BuildBelowSpace()
    {
        yield return Invite();

        var user = new Argument<string>("USER") { HelpName = "USER", Description = "Name the user was invited by, or k8s:NAME for a user of the cluster" };
        var undo = new Option<bool>("--undo") { Description = "Let a revoked user of the cluster (k8s:NAME) join again" };
        var revoke = WithCluster(new Verb("revoke", "Take a user's access away; open connections end within a second", "fairlead space revoke alice", "fairlead space revoke k8s:bob@example.com", "fairlead space revoke k8s:bob@example.com --undo")
            .Does(host, common, async (context, cancellationToken) =>
            {
                var name = context.Parse.GetRequiredValue(user);
                if (context.Get(undo))
                {
                    await host.Administration().LiftRevocationAsync(context.Cluster, name, cancellationToken);
                    DaemonVerbs.Say(context, $"{name} may join again, as far as RBAC and Grants let it.");
                    return;
                }

                await host.Administration().RevokeAsync(context.Cluster, name, cancellationToken);
                DaemonVerbs.Say(context, $"Revoked {name}: certificates issued so far are denied, invites and grants are removed.");
            }));
        revoke.Arguments.Add(user);
        revoke.Options.Add(undo);
        yield return revoke;

        yield return WithCluster(new Verb("grants", "Show who may reach what in the space", "fairlead space grants")
            .Does(host, common, async (context, cancellationToken) =>
            {
                var grants = new GrantReport(await host.Administration().ListGrantsAsync(context.Cluster, cancellationToken));
                context.Output.Show(grants, CliJson.Default.GrantReport, WriteGrants);
            }));
    }

    private Verb Invite()
    {
        var user = new Argument<string>("USER") { HelpName = "USER", Description = "A name for the person who is invited" };
        var group = new Option<string?>("--group") { Description = "Also make the person a member of this group", HelpName = "GROUP" };
        var namespaces = new Option<string[]>("--namespaces")
        {
            Description = "What the person may consume, separated by commas: NAMESPACE or NAMESPACE/SERVICE, * allowed",
            HelpName = "LIST",
        };
        var expires = CommonOptions.Duration("--expires", "How long the token can be used to join: 12h, 90m, 7d; 30d when left out");
        var uses = new Option<int>("--uses") { Description = "How many machines may join with the token", HelpName = "N", DefaultValueFactory = _ => 1 };
        uses.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && (!int.TryParse(token.Value, out var n) || n is < 1 or > 1000))
            {
                result.AddError($"'{token.Value}' is no number of uses; 1 to 1000 are");
            }
        });
        var invite = WithCluster(new Verb(
            "invite",
            "Invite a person: prints a join token, once",
            "fairlead space invite alice --namespaces shop",
            "fairlead space invite alice --namespaces 'shop,dev-*/api' --expires 7d --uses 2")
            .Does(host, common, async (context, cancellationToken) =>
            {
                var rules = (context.Get(namespaces) ?? []).SelectMany(n => n.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)).ToArray();
                var options = new InviteOptions(context.Parse.GetRequiredValue(user), context.Get(group), rules, context.Get(expires) ?? DefaultLifetime, context.Parse.GetValue(uses));
                var invitation = await host.Administration().InviteAsync(context.Cluster, options, cancellationToken);
                context.Output.Show(invitation, CliJson.Default.Invitation, WriteInvitation);
            }));
        invite.Arguments.Add(user);
        invite.Options.Add(group);
        invite.Options.Add(namespaces);
        invite.Options.Add(expires);
        invite.Options.Add(uses);
        return invite;
    }

    private Verb WithCluster(Verb verb) => common.AddCluster(verb);

    /// <summary>The token alone goes to standard output, so that it can be piped to <c>fairlead join -</c>.</summary>
    private static void WriteInvitation(Output output, Invitation invitation)
    {
        var what = invitation.Namespaces.Count == 0 ? "nothing yet (no --namespaces)" : string.Join(", ", invitation.Namespaces);
        output.Note($"{invitation.User} may join space {invitation.Space} {Humane.Plural(invitation.Uses, "time")} until {invitation.Expires:yyyy-MM-dd HH:mm} UTC, and consume: {what}");
        output.Note("Hand over this token; it is shown once and stored nowhere. It is used with: fairlead join TOKEN");
        output.Line(invitation.Token);
    }

    private static void WriteGrants(Output output, GrantReport report)
    {
        if (report.Grants.Count == 0)
        {
            output.Line("Nobody is granted anything. next: fairlead space invite USER --namespaces NAMESPACE");
            return;
        }

        var table = new Table("GRANT", "SUBJECTS", "RULES", "VERBS");
        foreach (var grant in report.Grants)
        {
            table.Add(grant.Name, string.Join(", ", grant.Subjects), string.Join(", ", grant.Rules), string.Join(", ", grant.Verbs));
        }

        output.Show(table);
    }
}
