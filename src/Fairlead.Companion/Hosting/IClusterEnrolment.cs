using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Kubernetes;

namespace Fairlead.Companion.Hosting;

/// <summary>What the daemon can have a companion do in a cluster besides carrying bytes.</summary>
internal interface IClusterEnrolment
{
    /// <summary>Has the request signed.</summary>
    /// <param name="client">The caller's; stays open.</param>
    /// <returns>The certificates and what the gateway said beside them, as <see cref="ClusterEnrolled"/> has them.</returns>
    /// <exception cref="FairleadException">Denied, or nobody signed it in time.</exception>
    /// <exception cref="KubernetesException">The API server refused or doesn't answer.</exception>
    Task<(string Certificates, string Facts)> EnrolAsync(KubernetesClient client, string certificateRequest, CancellationToken cancellationToken);
}
