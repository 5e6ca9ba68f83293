using System.Text;
using System.Text.Json;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Health;
using Fairlead.Gateway.Policy;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;
using Fairlead.Tunnel;
using Microsoft.Extensions.Logging;

namespace Fairlead.Gateway.Identity;

/// <summary>
/// Decides and signs the CertificateSigningRequests by which people with a kubeconfig enrol. Every replica does: a decision is a write at the version
/// that was read, so that one of them makes it and the others meet a conflict and look again.
/// </summary>
/// <param name="facts">What the author is told of the space, as it is now.</param>
internal sealed partial class KubernetesEnrolment(
    KubernetesClient client, SpaceAuthority authority, Grants grants, Func<EnrolmentFacts> facts, GatewayMetrics metrics, TimeProvider time, ILogger<KubernetesEnrolment> logger)
{
    /// <summary>
    /// Of one author, within the hour that Kubernetes keeps them: a person needs a handful, a flood is not signed. Those that are worked on at the same
    /// moment may exceed it.
    /// </summary>
    private const int MaxPerAuthor = 30;

    /// <summary>Requests worked on at a time.</summary>
    private const int MaxParallel = 8;

    /// <summary>After a request could not be decided or signed, because the API server could not be asked or did not let us.</summary>
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(5);

    private volatile TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var requests = new Informer<CertificateSigningRequest>(client, Resources.CertificateSigningRequests, fieldSelector: "spec.signerName=" + ClusterObjects.SignerName)
        {
            OnChange = _ => changed.TrySetResult(),
            OnFailure = failure => LogWatchFailed(failure.Error.Message, failure.RetryIn),
        };
        await Task.WhenAll(requests.RunAsync(cancellationToken), WorkAsync(requests, cancellationToken));
    }

    private async Task WorkAsync(Informer<CertificateSigningRequest> requests, CancellationToken cancellationToken)
    {
        var options = new ParallelOptions { MaxDegreeOfParallelism = MaxParallel, CancellationToken = cancellationToken };
        try
        {
            while (true)
            {
                var next = changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                var known = requests.Snapshot.Values.ToList();
                var failed = 0;
                await Parallel.ForEachAsync(known.Where(r => StateOf(r) is not RequestState.Done), options, async (request, stop) =>
                {
                    if (!await TryAdvanceAsync(request, known, stop))
                    {
                        Interlocked.Increment(ref failed);
                    }
                });
                await Task.WhenAny(next.Task, Task.Delay(failed > 0 ? RetryInterval : Timeout.InfiniteTimeSpan, time, cancellationToken));
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The gateway ends.
        }
    }

    /// <summary>False: it could not be done now, and nothing but time will change that.</summary>
    private async Task<bool> TryAdvanceAsync(CertificateSigningRequest request, IReadOnlyList<CertificateSigningRequest> known, CancellationToken cancellationToken)
    {
        try
        {
            if (StateOf(request) == RequestState.Undecided)
            {
                await DecideAsync(request, known, cancellationToken);
            }
            else
            {
                await SignAsync(request, cancellationToken);
            }

            return true;
        }
        catch (KubernetesException e) when (e.IsConflict || e.IsNotFound)
        {
            // Another replica, or an administrator, was faster: the watch tells what there is now.
            return true;
        }
        catch (Exception e) when (e is KubernetesException or KubeConfigException)
        {
            LogFailed(request.Metadata.Name, request.Spec.Username, e.Message);
            return false;
        }
    }

    private async Task DecideAsync(CertificateSigningRequest request, IReadOnlyList<CertificateSigningRequest> known, CancellationToken cancellationToken)
    {
        var refusal = IsFlood(request, known)
            ? new RequestRefusal("TooManyRequests", $"the cluster holds {MaxPerAuthor} requests of this user already; Kubernetes removes each an hour after it was decided")
            : (await JudgeAsync(request, cancellationToken)).Refusal;
        var condition = refusal is null
            ? new CertificateSigningRequestCondition
            {
                Type = CertificateSigningRequestStatus.Approved,
                Reason = "FairleadGateway",
                Message = JsonSerializer.Serialize(facts(), GatewayJson.Default.EnrolmentFacts),
            }
            : new CertificateSigningRequestCondition { Type = CertificateSigningRequestStatus.Denied, Reason = refusal.Reason, Message = refusal.Message };
        await client.ReplaceSubresourceAsync(Resources.CertificateSigningRequests, With(request, condition), "approval", cancellationToken);
        if (refusal is not null)
        {
            LogDenied(request.Metadata.Name, request.Spec.Username, refusal.Reason);
            metrics.Certificate("kubernetes", refusal.Reason);
        }
    }

    /// <summary>Judges once more: whoever approved it need not have been a gateway.</summary>
    private async Task SignAsync(CertificateSigningRequest request, CancellationToken cancellationToken)
    {
        var (accepted, refusal) = await JudgeAsync(request, cancellationToken);
        if (refusal is not null)
        {
            var failed = new CertificateSigningRequestCondition { Type = CertificateSigningRequestStatus.Failed, Reason = refusal.Reason, Message = refusal.Message };
            await client.ReplaceStatusAsync(Resources.CertificateSigningRequests, With(request, failed), cancellationToken);
            metrics.Certificate("kubernetes", refusal.Reason);
            return;
        }

        var issued = DateTimeOffset.FromUnixTimeSeconds(time.GetUtcNow().ToUnixTimeSeconds());
        using var certificate = authority.IssueClient(accepted!.Key, accepted.Account, issued, accepted.Lifetime);
        var signed = With(request);
        signed.Status!.Certificate = Encoding.ASCII.GetBytes(certificate.ExportCertificatePem() + "\n" + authority.CertificatePem + "\n");
        await client.ReplaceStatusAsync(Resources.CertificateSigningRequests, signed, cancellationToken);
        LogSigned(request.Metadata.Name, accepted.Account.Name, issued + accepted.Lifetime);
        metrics.Certificate("kubernetes", "issued");
    }

    private async Task<(AcceptedRequest? Accepted, RequestRefusal? Refusal)> JudgeAsync(CertificateSigningRequest request, CancellationToken cancellationToken)
    {
        var (accepted, refusal) = RequestJudge.Judge(request, authority.SpaceUid);
        if (accepted is null)
        {
            return (null, refusal);
        }

        // Read, not as the watch knows it: a certificate must not be issued after the revocation that it would outlive.
        var account = accepted.Account;
        var subject = Subjects.KubernetesPrefix + account.Name;
        if ((await Revocations.ReadAsync(client, cancellationToken)).RevokedAt(subject) is { } revoked)
        {
            return (null, new RequestRefusal(
                "Revoked", $"access of {subject} was revoked at {revoked:u}; an administrator lifts that by 'fairlead space revoke --undo {subject}'"));
        }

        var peer = new PeerIdentity(subject, time.GetUtcNow(), time.GetUtcNow() + accepted.Lifetime, null, account);
        await grants.RefreshAsync(peer, cancellationToken);
        var rights = grants.Of(peer);
        return !rights.IsEmpty ? (accepted, null)
            : rights.Failure is { } failure ? throw new KubernetesException(0, KubernetesException.Unreachable, failure)
            : (null, new RequestRefusal("NotAuthorized", Advice(account.Name)));
    }

    private static string Advice(string user) =>
        $"{user} may use nothing of this space: no RBAC right to {GrantVerbs.Consume} {ClusterObjects.SpacesResource}.{ClusterObjects.Group} in any namespace with a service, nor to attach, "
        + $"and no Grant for {Subjects.KubernetesPrefix}{user} or a group of theirs. An administrator gives a namespace by "
        + $"'kubectl create rolebinding {ClusterObjects.ConsumerRole} --clusterrole={ClusterObjects.ConsumerRole} --user={user} -n NAMESPACE'";

    private static bool IsFlood(CertificateSigningRequest request, IReadOnlyList<CertificateSigningRequest> known) =>
        known.Count(other => other.Spec.Username == request.Spec.Username && (StateOf(other) != RequestState.Undecided || IsBefore(other, request))) >= MaxPerAuthor;

    /// <summary>Creation has whole seconds; within one any order does that is the same for every replica.</summary>
    private static bool IsBefore(CertificateSigningRequest one, CertificateSigningRequest other) =>
        (one.Metadata.CreationTimestamp ?? default, one.Metadata.Name).CompareTo((other.Metadata.CreationTimestamp ?? default, other.Metadata.Name)) < 0;

    private static RequestState StateOf(CertificateSigningRequest request)
    {
        var status = request.Status;
        var types = (status?.Conditions ?? []).Select(c => c.Type).ToHashSet();
        return types.Contains(CertificateSigningRequestStatus.Denied) || types.Contains(CertificateSigningRequestStatus.Failed) || status?.Certificate is { Length: > 0 } ? RequestState.Done
            : types.Contains(CertificateSigningRequestStatus.Approved) ? RequestState.Approved
            : RequestState.Undecided;
    }

    /// <summary>A copy, as what an informer holds is shared.</summary>
    private static CertificateSigningRequest With(CertificateSigningRequest request, params CertificateSigningRequestCondition[] conditions) => new()
    {
        Metadata = request.Metadata,
        Spec = request.Spec,
        Status = new CertificateSigningRequestStatus { Certificate = request.Status?.Certificate, Conditions = [.. request.Status?.Conditions ?? [], .. conditions] },
    };

    private enum RequestState
    {
        Undecided,
        Approved,
        Done,
    }

    [LoggerMessage(1004, LogLevel.Information, "signed {Request} of {User}, until {Expires}")]
    private partial void LogSigned(string? request, string user, DateTimeOffset expires);

    [LoggerMessage(1005, LogLevel.Warning, "denied {Request} of {User}: {Reason}")]
    private partial void LogDenied(string? request, string? user, string reason);

    [LoggerMessage(1006, LogLevel.Warning, "{Request} of {User} could not be decided or signed: {Error}")]
    private partial void LogFailed(string? request, string? user, string error);

    [LoggerMessage(1007, LogLevel.Warning, "the watch of certificate signing requests broke ({Error}); again in {RetryIn}")]
    private partial void LogWatchFailed(string error, TimeSpan retryIn);
}
