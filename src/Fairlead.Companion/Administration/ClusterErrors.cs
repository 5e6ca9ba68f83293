using Fairlead.Contracts.Errors;
using Fairlead.Kubernetes;

namespace Fairlead.Companion.Administration;

/// <summary>Tells a person what a failed request to the API server means.</summary>
internal static class ClusterErrors
{
    public static FairleadException Explain(KubernetesException e) => e switch
    {
        { Code: 401 } => new FairleadException(ErrorCategory.Denied, "cluster-login-needed", "The cluster does not know you", e.Message, "Log in to the cluster as you do for kubectl, then try again.", e),

        // The server names the user, the verb and the resource.
        { Code: 403 } => new FairleadException(ErrorCategory.Denied, "cluster-rights-missing", "Your rights in the cluster do not suffice", e.Message, "The ClusterRole cluster-admin gives every right: ask whoever has it, or choose another --context.", e),
        { Code: 404 } => new FairleadException(ErrorCategory.Failed, "cluster-resource-missing", "The cluster lacks what this needs", e.Message, "Install the gateway first: 'fairlead gateway install'.", e),
        { Code: 0, Reason: KubernetesException.Timeout } => new FairleadException(ErrorCategory.TimedOut, "cluster-timeout", "The cluster did not answer in time", e.Message, "Try again; 'kubectl version' shows whether the cluster answers.", e),
        { Code: 0 } => new FairleadException(ErrorCategory.NotConnected, "cluster-unreachable", "The cluster can't be reached", e.Message, "Check --kubeconfig and --context; 'kubectl version' shows whether the cluster answers.", e),
        { Code: 409 } => new FairleadException(ErrorCategory.Conflict, "cluster-conflict", "Somebody else changes the same objects", e.Message, "Try again.", e),
        _ => new FairleadException(ErrorCategory.Failed, "cluster-refused", "The cluster refused", e.Message, inner: e),
    };

    public static FairleadException Explain(KubeConfigException e) =>
        new(ErrorCategory.NotConnected, "kubeconfig-unusable", "There is no usable kubeconfig", e.Message, e.Hint, e);
}
