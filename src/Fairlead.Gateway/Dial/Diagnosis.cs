using System.Net;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Cluster;
using Fairlead.Gateway.Policy;
using Fairlead.Tunnel;

namespace Fairlead.Gateway.Dial;

/// <summary>
/// Tries connections for <c>fairlead doctor</c>, exactly as flows would be dialled, and tells what is known of the pods behind them. Nothing that
/// the gateway may not see anyway is read: whether a NetworkPolicy or a mesh is what is in the way, the caller concludes.
/// </summary>
internal sealed class Diagnosis(ClusterState cluster, Grants grants, Dialer dialer, TimeProvider time) : IDisposable
{
    /// <summary>Inside a cluster a SYN that gets no answer within it, and within the kernel's first retry after 1 s, gets none.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    /// <summary>Connections at a time, of all callers: doctors are asked rarely.</summary>
    private readonly SemaphoreSlim trying = new(2 * DiagnosisRequest.MaxTargets);

    /// <exception cref="FairleadException">Too many targets.</exception>
    public async Task<DiagnosisResponse> ExamineAsync(PeerIdentity peer, DiagnosisRequest request, CancellationToken cancellationToken)
    {
        if (request.Targets.Count > DiagnosisRequest.MaxTargets)
        {
            throw new FairleadException(ErrorCategory.Usage, "request-invalid", "The request can't be read", $"it names more than {DiagnosisRequest.MaxTargets} targets");
        }

        await grants.ReadyAsync(peer, target: null, cancellationToken);
        var rights = grants.Of(peer);
        var targets = await Task.WhenAll(request.Targets.Select(target => ExamineAsync(rights, target, cancellationToken)));
        return new DiagnosisResponse(cluster.GatewayService.Namespace, targets, MeshOf(cluster.Gateways));
    }

    public void Dispose() => trying.Dispose();

    private async Task<TargetDiagnosis> ExamineAsync(Rights rights, DiagnosisTarget target, CancellationToken cancellationToken)
    {
        var flow = new FlowTarget(TransportProtocol.Tcp, target.Host, target.Port);
        if (!flow.IsWellFormed)
        {
            return new TargetDiagnosis(target, DialOutcome.Failed, Reason: "there can be no such target");
        }

        var (outcome, reason) = await TryAsync(rights, flow, cancellationToken);
        if (outcome == DialOutcome.Denied)
        {
            return new TargetDiagnosis(target, outcome, Reason: reason);
        }

        var (@namespace, pods, ready) = Behind(target.Host);
        return new TargetDiagnosis(target, outcome, ready, reason, @namespace, MeshOf(pods));
    }

    private async Task<(DialOutcome Outcome, string? Reason)> TryAsync(Rights rights, FlowTarget target, CancellationToken cancellationToken)
    {
        await trying.WaitAsync(cancellationToken);
        try
        {
            using var limit = new CancellationTokenSource(Patience, time);
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
            var (farEnd, refusal) = await dialer.DialAsync(rights, target, stop.Token);
            await (farEnd?.DisposeAsync() ?? ValueTask.CompletedTask);
            return refusal?.Failure switch
            {
                null => (DialOutcome.Connected, null),
                FlowFailure.TimedOut => (DialOutcome.TimedOut, refusal.Message),
                FlowFailure.ConnectionRefused => (DialOutcome.Refused, refusal.Message),
                FlowFailure.Denied => (DialOutcome.Denied, refusal.Message),
                _ => (DialOutcome.Failed, refusal.Message),
            };
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (DialOutcome.TimedOut, $"{target.Host}:{target.Port} did not answer within {Patience.TotalSeconds:0} s");
        }
        finally
        {
            trying.Release();
        }
    }

    private static string? MeshOf(IEnumerable<PodView> pods) => pods.Select(pod => pod.Mesh).FirstOrDefault(mesh => mesh is not null);

    private (string? Namespace, IReadOnlyList<PodView> Pods, int Ready) Behind(string host)
    {
        ObjectKey? service = TargetName.TryParse(host, out var name) ? name.Service : null;
        if (IPAddress.TryParse(host, out var address))
        {
            service = cluster.ServicesAt(address).Select(key => (ObjectKey?)key).FirstOrDefault();
            if (service is null)
            {
                var pods = cluster.PodsAt(address).Select(cluster.FindPod).OfType<PodView>().ToList();
                return (pods.FirstOrDefault()?.Key.Namespace, pods, pods.Count);
            }
        }

        if (service is not { } key)
        {
            return (null, [], 0);
        }

        var endpoints = cluster.SlicesOf(key).SelectMany(slice => slice.Endpoints).Where(e => name?.Endpoint is null || e.Hostname == name.Endpoint).ToList();
        return (
            key.Namespace,
            [.. endpoints.Select(e => e.Pod is { } pod ? cluster.FindPod(pod) : null).OfType<PodView>()],
            endpoints.Where(e => e.Ready).Select(e => e.Address).Distinct().Count());
    }
}
