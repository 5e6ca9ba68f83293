using System.Net;
using Fairlead.Contracts.Errors;
using Fairlead.Daemon.Names;
using Fairlead.Daemon.Names.Dns;
using Fairlead.Dns.Zones;
using Fairlead.Platform;

namespace Fairlead.Daemon.Consume;

/// <summary>
/// How the names of what is consumed reach local programs: by the hosts file or by the DNS server, as the option <c>resolver</c> says, also when it
/// changes while the daemon runs. The other way is taken back only when the new one works.
/// </summary>
/// <param name="settings">At this moment.</param>
/// <param name="clusterOf">The DNS of the space with a key; null: of the one in use.</param>
internal sealed class ConsumeNames(HostsResolver hosts, NameServer dns, Func<NameSettings> settings, Func<string?, IClusterDns?> clusterOf, IPNetwork range)
{
    /// <summary>In the server; connect's names come before ours.</summary>
    private const string Owner = "consume";

    private bool usesDns;

    /// <inheritdoc cref="HostsResolver.ReadForeignAsync"/>
    public Task<ForeignHosts> ReadForeignAsync(IReadOnlySet<string> names, CancellationToken cancellationToken) => hosts.ReadForeignAsync(names, cancellationToken);

    /// <summary>Publishes the plan's names. Never throws for what the host is like: the outcome says.</summary>
    public async Task<HostsOutcome> ApplyAsync(ConsumePlan plan, IReadOnlyList<PlanSpace> spaces, CancellationToken cancellationToken)
    {
        var wishes = settings();
        if (wishes.UseDns)
        {
            usesDns = true;
            var table = ConsumeNameTable.Create(plan, spaces, clusterOf, range);
            var problem = table.Names.Count > 0
                ? await dns.PublishAsync(Owner, table, wishes, clusterOf(null), cancellationToken)
                : await WithdrawAsync(cancellationToken);
            return problem is null ? await hosts.ApplyAsync(ConsumePlan.Nothing, cancellationToken) : new HostsOutcome(ForeignHosts.None, problem);
        }

        var outcome = await hosts.ApplyAsync(plan, cancellationToken);
        if (usesDns && outcome.Problem is null)
        {
            var problem = await WithdrawAsync(cancellationToken);
            usesDns = problem is not null;
            return outcome with { Problem = problem };
        }

        return outcome;
    }

    private async Task<ErrorInfo?> WithdrawAsync(CancellationToken cancellationToken)
    {
        try
        {
            await dns.WithdrawAsync(Owner, cancellationToken);
            return null;
        }
        catch (HostException e)
        {
            return new ErrorInfo(ErrorCategory.Failed, "resolver", "The host's resolver could not be brought back", e.Message, e.Hint ?? "It is tried again; when the daemon is stopped, 'fairlead cleanup' does it.");
        }
    }

    /// <summary>Takes all names back.</summary>
    /// <exception cref="HostException">They couldn't be; the journal still has it.</exception>
    public async Task RemoveAsync(CancellationToken cancellationToken)
    {
        try
        {
            await dns.WithdrawAsync(Owner, cancellationToken);
        }
        finally
        {
            await hosts.RemoveAsync(cancellationToken);
        }
    }
}
