using Fairlead.Companion.Administration;
using Fairlead.Companion.Enrolment;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Kubernetes;

namespace Fairlead.Companion.Hosting;

/// <summary>The companion's work without a daemon. Owns its clients.</summary>
public sealed class UserCluster : IUserCluster
{
    private readonly ClusterClients clusters = new(TimeProvider.System);
    private readonly KubernetesEnrolment enrolment = new(TimeProvider.System);

    public Task<(Stream Stream, string Server)> OpenAsync(OpenCarrier wanted, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(wanted);
        return ExplainAsync(async () =>
        {
            var client = clusters.Of(wanted.Cluster);
            return (await PortForwardCarrier.OpenAsync(client, wanted, cancellationToken), UrlOf(client));
        });
    }

    public Task<ClusterEnrolled> EnrolAsync(ClusterEnrolment wanted, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(wanted);
        return ExplainAsync(async () =>
        {
            var client = clusters.Of(wanted.Cluster);
            var (certificates, facts) = await enrolment.EnrolAsync(client, wanted.CertificateRequest, cancellationToken);
            return new ClusterEnrolled(certificates, facts, client.Connection.Context, UrlOf(client));
        });
    }

    public void Dispose() => clusters.Dispose();

    private static string UrlOf(KubernetesClient client) => client.Connection.Server.GetLeftPart(UriPartial.Authority);

    private static async Task<T> ExplainAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (KubernetesException e)
        {
            throw ClusterErrors.Explain(e);
        }
    }
}
