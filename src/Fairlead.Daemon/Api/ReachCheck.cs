using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Consume;
using Fairlead.Daemon.Spaces;

namespace Fairlead.Daemon.Api;

/// <summary>Has the gateway try the services whose flows failed lately, then others that are consumed, and says what is in the way.</summary>
internal sealed class ReachCheck(ConsumePipeline pipeline, TimeProvider time)
{
    /// <summary>The gateway waits 3 s for those that don't answer, all at once.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Nothing while there is no link, which another check tells, and nothing to try; nor from an older gateway, which can't say.</summary>
    public async Task<IReadOnlyList<DoctorCheck>> ExamineAsync(Space space, CancellationToken cancellationToken)
    {
        var troubles = space.Troubles.Recent().GroupBy(t => new DiagnosisTarget(t.Target.Host, t.Target.Port)).ToDictionary(g => g.Key, g => g.First());
        var targets = troubles.Keys.Concat(Consumed(space)).Distinct().Take(DiagnosisRequest.MaxTargets).ToList();
        if (space.Link.Status.State != LinkState.Connected || targets.Count == 0)
        {
            return [];
        }

        using var bounded = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(bounded.Token, cancellationToken);
        try
        {
            var found = await GatewayClient.PostAsync(
                space.Link.Api, GatewayApi.Diagnosis, new DiagnosisRequest(targets), GatewayJson.Default.DiagnosisRequest, GatewayJson.Default.DiagnosisResponse, either.Token);
            return ReachVerdict.Judge(space.Record.Name, found, troubles);
        }
        catch (FairleadException e) when (e.Error.Code == "not-found")
        {
            return [];
        }
        catch (FairleadException e)
        {
            return [new DoctorCheck($"reach of {space.Record.Name}", CheckResult.Warning, $"The gateway could not be asked: {e.Message}.", e.Error.Hint)];
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return [new DoctorCheck($"reach of {space.Record.Name}", CheckResult.Warning, $"The gateway did not answer within {Patience.TotalSeconds:0} s.", null)];
        }
    }

    /// <summary>The first TCP port of each; of endpoints with names of their own, the service.</summary>
    private IEnumerable<DiagnosisTarget> Consumed(Space space) =>
        from service in pipeline.Snapshot.Describe(space.Key)?.Services ?? []
        where service.Kind != ServiceKind.ExternalName
        let port = service.Ports.FirstOrDefault(p => p.Protocol == TransportProtocol.Tcp)
        where port is not null
        select new DiagnosisTarget($"{service.Name}.{service.Namespace}.svc", port.Port);
}
