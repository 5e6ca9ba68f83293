using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Names;
using Fairlead.Daemon.Spaces;

namespace Fairlead.Daemon.Consume;

/// <summary>What people ask of consume: changes that are answered when they are in force, and what is.</summary>
internal sealed class ConsumeService(SpaceRegistry spaces, ConsumePipeline pipeline, TimeProvider time)
{
    /// <summary>How long a change waits for a catalog that was never told yet: a link that works needs far less.</summary>
    internal static readonly TimeSpan CatalogTimeout = TimeSpan.FromSeconds(10);

    public ConsumeState Describe(Space space)
    {
        var state = pipeline.Snapshot.Describe(space.Key) ?? new ConsumeState(space.Record.Name, space.Rules.Texts, [], []);
        List<string> warnings = [.. state.Warnings];
        if (pipeline.Snapshot.Problem is { } problem)
        {
            warnings.Add(problem.Why is null ? $"{problem.Message}." : $"{problem.Message}: {problem.Why}.");
        }

        if (space.Link.Status.State != LinkState.Connected)
        {
            warnings.Add($"Space '{space.Record.Name}' is not connected{(space.Problem is { } reason ? $" ({reason.Message})" : "")}: names stay, connections wait for it.");
        }

        return state with { Rules = space.Rules.Texts, Warnings = warnings };
    }

    public int Count(Space space) => pipeline.Snapshot.Count(space.Key);

    public static ServiceList Services(Space space, string? @namespace) => new(
        space.Record.Name,
        [.. (space.Catalog.Snapshot ?? [])
            .Where(service => string.IsNullOrEmpty(@namespace) || service.Namespace == @namespace)
            .OrderBy(service => service.Namespace, StringComparer.Ordinal)
            .ThenBy(service => service.Name, StringComparer.Ordinal)
            .Select(service => new ServiceInfo(service, space.Rules.Select(service) is not null))]);

    /// <summary>Changes the rules and waits until names resolve and listeners accept. The rules are kept also when that fails.</summary>
    /// <exception cref="FairleadException">A rule makes no sense (nothing changed), or the host or the gateway doesn't let it come into force.</exception>
    public async Task<ConsumeState> ChangeAsync(Space space, ConsumeRequest request, CancellationToken cancellationToken)
    {
        await spaces.SetRulesAsync(space, rules => rules.Change(request.Add, request.Remove, request.Replace), cancellationToken);
        if (space.Rules.Rules.Count > 0)
        {
            await WaitForCatalogAsync(space, cancellationToken);
        }

        return await ApplyAsync(space, cancellationToken);
    }

    /// <param name="primaryNamespace">Null clears it.</param>
    /// <exception cref="FairleadException">It can't be a namespace, or the host doesn't let it come into force.</exception>
    public async Task<ConsumeState> SetPrimaryNamespaceAsync(Space space, string? primaryNamespace, CancellationToken cancellationToken)
    {
        await spaces.SetPrimaryNamespaceAsync(space, primaryNamespace, cancellationToken);
        return await ApplyAsync(space, cancellationToken);
    }

    /// <summary>Waits until what is stored is in force.</summary>
    /// <exception cref="FairleadException"/>
    public async Task<ConsumeState> ApplyAsync(Space space, CancellationToken cancellationToken)
    {
        var snapshot = await pipeline.ApplyAsync(cancellationToken);
        return snapshot.Problem is { } problem ? throw new FairleadException(problem) : Describe(space);
    }

    private async Task WaitForCatalogAsync(Space space, CancellationToken cancellationToken)
    {
        if (space.Catalog.Snapshot is not null)
        {
            return;
        }

        try
        {
            await space.WaitForCatalogAsync(cancellationToken).WaitAsync(CatalogTimeout, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // Nor has it been refused: what is known of it is told below.
        }

        if (space.Catalog.Snapshot is null)
        {
            throw new FairleadException(
                ErrorCategory.NotConnected,
                "space-not-connected",
                $"The rules are kept, but space '{space.Record.Name}' can't be reached yet",
                space.Problem is { } problem ? problem.Why is null ? problem.Message : $"{problem.Message}: {problem.Why}" : "the gateway has not told its services",
                space.Problem?.Hint ?? "Run 'fairlead doctor'; the services appear as soon as the space is connected.");
        }
    }
}
