using System.Net.Security;

namespace Fairlead.Gateway.Identity;

/// <summary>This replica's server certificate, in memory only; a new one is made when two thirds of its life are over.</summary>
internal sealed class ServerCertificate(SpaceAuthority authority, string pod, TimeProvider time)
{
    private readonly Lock gate = new();
    private SslStreamCertificateContext? context;
    private DateTimeOffset renewAfter;

    /// <summary>For one handshake. Contexts that were given out stay valid, so that none is disposed here.</summary>
    public SslStreamCertificateContext Current
    {
        get
        {
            lock (gate)
            {
                var now = time.GetUtcNow();
                if (context is null || now >= renewAfter)
                {
                    context = SslStreamCertificateContext.Create(authority.IssueServer(pod), [authority.Certificate], offline: true);
                    renewAfter = now + (SpaceAuthority.ServerLifetime * 2 / 3);
                }

                return context;
            }
        }
    }
}
