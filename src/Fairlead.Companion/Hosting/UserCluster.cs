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
            var session = await PortForwardCarrier.OpenAsync(client, wanted, cancellationToken);
            return ((Stream)new SessionStream(session), UrlOf(client));
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

    /// <summary>The bytes of a session's only port; disposing it ends the session.</summary>
    private sealed class SessionStream(PortForwardSession session) : Stream
    {
        private readonly Stream inner = session.Ports[0].Stream;

        public override bool CanRead => true;

        public override bool CanWrite => true;

        public override bool CanSeek => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => inner.ReadAsync(buffer, cancellationToken);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => inner.WriteAsync(buffer, cancellationToken);

        public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

        public override void Flush()
        {
            // Whoever has something to flush does it asynchronously.
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("asynchronous only");

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("asynchronous only");

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        /// <summary>Not waited for where the caller can't wait: it ends within a second and never fails.</summary>
        protected override void Dispose(bool disposing)
        {
            _ = session.DisposeAsync().AsTask();
            base.Dispose(disposing);
        }
    }
}
