using Fairlead.Companion.Administration;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Companion.Enrolment;

/// <summary>Tells a person why they could not join with their kubeconfig, and whom to ask for what.</summary>
internal static class EnrolmentErrors
{
    private static readonly string[] Verbs = ["create", "get", "watch"];

    /// <summary>Names every verb that is missing, not only the one that was met, so that one question to an administrator is enough.</summary>
    public static async Task<FairleadException> ExplainMissingRightsAsync(KubernetesClient client, KubernetesException met, CancellationToken cancellationToken)
    {
        string what;
        try
        {
            var missing = new List<string>();
            foreach (var verb in Verbs)
            {
                var attributes = new ResourceAttributes { Group = "certificates.k8s.io", Resource = "certificatesigningrequests", Verb = verb };
                if (!(await client.ReviewAccessAsync(new SubjectAccessReviewSpec { ResourceAttributes = attributes }, cancellationToken)).Allowed)
                {
                    missing.Add(verb);
                }
            }

            what = missing.Count > 0 ? $"you may not {string.Join(", ", missing)} certificatesigningrequests.certificates.k8s.io" : met.Message;
        }
        catch (KubernetesException)
        {
            // Not even that may be asked: the server's own words say which right was met first.
            what = met.Message;
        }

        return new FairleadException(
            ErrorCategory.Denied,
            "enrolment-rights-missing",
            "Your rights in the cluster do not suffice to join",
            what,
            $"ClusterRole {ClusterObjects.UserRole} gives them: ask an administrator for 'kubectl create clusterrolebinding NAME --clusterrole={ClusterObjects.UserRole} --user=YOU'.",
            met);
    }

    public static FairleadException Explain(KubernetesException e, ClusterConnection connection) => e.Code switch
    {
        401 => new FairleadException(
            ErrorCategory.Denied,
            "cluster-login-needed",
            "The cluster does not know you",
            $"{connection.Server.Host} took none of the credentials of {ContextOf(connection)}: they have expired, or belong to another cluster",
            "Log in to the cluster as you do for kubectl, then try again.",
            e),
        404 => new FairleadException(
            ErrorCategory.Failed, "cluster-resource-missing", "The cluster has no certificate signing requests", e.Message, "Fairlead needs Kubernetes 1.25 or later. Is it the right --context?", e),
        _ => ClusterErrors.Explain(e),
    };

    public static FairleadException Explain(KubeConfigException e) => new(ErrorCategory.NotConnected, "kubeconfig-unusable", "The kubeconfig gives no way to the cluster", e.Message, e.Hint, e);

    public static FairleadException Denied(CertificateSigningRequestCondition refusal) => new(
        ErrorCategory.Denied,
        "enrolment-denied",
        "The gateway does not let you join",
        string.IsNullOrEmpty(refusal.Message) ? $"it says {refusal.Reason}" : refusal.Message,
        "Ask an administrator of the space.");

    public static FairleadException NoAnswer(ClusterConnection connection, string request, bool approved) => approved
        ? new FairleadException(
            ErrorCategory.TimedOut,
            "enrolment-not-signed",
            "The request for a certificate was approved but not signed",
            $"no gateway signed the CertificateSigningRequest {request} within {KubernetesEnrolment.Patience.TotalSeconds:0} s",
            "Ask an administrator whether the gateway runs: 'fairlead gateway status'.")
        : new FairleadException(
            ErrorCategory.TimedOut,
            "gateway-absent",
            "There seems to be no gateway in this cluster",
            $"nobody decided the CertificateSigningRequest {request} at {connection.Server.Host} ({ContextOf(connection)}) within {KubernetesEnrolment.Patience.TotalSeconds:0} s",
            "Check --context; an administrator installs a gateway by 'fairlead gateway install'.");

    private static string ContextOf(ClusterConnection connection) => connection.Context is { } context ? $"context {context}" : "this kubeconfig";
}
