using System.Text;
using Fairlead.Companion.Hosting;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Companion.Enrolment;

/// <summary>
/// Enrols by a CertificateSigningRequest: the API server proves who asks, whatever way they log in, and the gateway decides and signs
/// (docs/identity.md). Takes the rights of ClusterRole <c>fairlead-user</c> and no others. The private key is never here.
/// </summary>
internal sealed class KubernetesEnrolment(TimeProvider time) : IClusterEnrolment
{
    /// <summary>A gateway decides within a second; after this there is none, or it is in trouble.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>What the gateway signs for at most.</summary>
    private const int LifetimeSeconds = 12 * 3600;

    /// <summary>Between attempts to watch, while the API server drops connections.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    /// <exception cref="FairleadException">No way to the cluster, no right, no gateway, or the gateway's refusal with its reason.</exception>
    public async Task<(string Certificates, string Facts)> EnrolAsync(KubernetesClient client, string certificateRequest, CancellationToken cancellationToken)
    {
        try
        {
            var request = await client.CreateAsync(
                Resources.CertificateSigningRequests,
                new CertificateSigningRequest
                {
                    Metadata = { GenerateName = "fairlead-", Labels = new() { [ClusterObjects.ManagedByLabel] = "fairlead" } },
                    Spec =
                    {
                        Request = Encoding.ASCII.GetBytes(certificateRequest),
                        SignerName = ClusterObjects.SignerName,
                        ExpirationSeconds = LifetimeSeconds,
                        Usages = ["client auth", "digital signature"],
                    },
                },
                cancellationToken);
            var signed = (await WaitAsync(client, request, cancellationToken)).Status!;
            return (Encoding.ASCII.GetString(signed.Certificate!), signed.Conditions.First(c => c.Type == CertificateSigningRequestStatus.Approved).Message ?? "");
        }
        catch (KubernetesException e) when (e.Code == 403)
        {
            throw await EnrolmentErrors.ExplainMissingRightsAsync(client, e, cancellationToken);
        }
        catch (KubernetesException e)
        {
            throw EnrolmentErrors.Explain(e, client.Connection);
        }
        catch (KubeConfigException e)
        {
            throw EnrolmentErrors.Explain(e);
        }
    }

    /// <summary>Until it is signed.</summary>
    private async Task<CertificateSigningRequest> WaitAsync(KubernetesClient client, CertificateSigningRequest request, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        var name = request.Metadata.Name!;
        var decided = false;
        KubernetesException? broken = null;
        try
        {
            while (true)
            {
                try
                {
                    var events = client.WatchAsync(
                        Resources.CertificateSigningRequests, null, request.Metadata.ResourceVersion ?? "0", fieldSelector: "metadata.name=" + name, cancellationToken: stop.Token);
                    await foreach (var news in events)
                    {
                        if (news.Object is { } value && IsSigned(request = value, out decided))
                        {
                            return value;
                        }
                    }
                }
                catch (KubernetesException e) when (e.Code is 0 or 410 or 429 or >= 500)
                {
                    // Broken off: look at what came of it meanwhile, and go on from there.
                    broken = e;
                }

                await Task.Delay(Pause, time, stop.Token);
                request = await LookAsync(client, name, stop.Token) ?? request;
                if (IsSigned(request, out decided))
                {
                    return request;
                }
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw broken is not null ? EnrolmentErrors.Explain(broken, client.Connection) : EnrolmentErrors.NoAnswer(client.Connection, name, decided);
        }
    }

    /// <summary>Null while the API server can't be reached.</summary>
    private static async Task<CertificateSigningRequest?> LookAsync(KubernetesClient client, string name, CancellationToken cancellationToken)
    {
        try
        {
            return await client.GetAsync(Resources.CertificateSigningRequests, null, name, cancellationToken)
                ?? throw new FairleadException(ErrorCategory.Failed, "enrolment-deleted", "The request for a certificate was deleted", $"somebody deleted the CertificateSigningRequest {name} before it was signed", "Join again.");
        }
        catch (KubernetesException e) when (e.Code is 0 or 429 or >= 500)
        {
            return null;
        }
    }

    /// <exception cref="FairleadException">It was denied, or signing failed.</exception>
    private static bool IsSigned(CertificateSigningRequest request, out bool decided)
    {
        var conditions = request.Status?.Conditions ?? [];
        if (conditions.FirstOrDefault(c => c.Type is CertificateSigningRequestStatus.Denied or CertificateSigningRequestStatus.Failed) is { } refusal)
        {
            throw EnrolmentErrors.Denied(refusal);
        }

        decided = conditions.Any(c => c.Type == CertificateSigningRequestStatus.Approved);
        return decided && request.Status?.Certificate is { Length: > 0 };
    }
}
