using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Fairlead.Tunnel.Exit;

namespace Fairlead.Tunnel.Direct;

/// <summary>Where and for whom the gateway's end of the direct carrier listens, and its bounds.</summary>
public sealed record DirectCarrierServerOptions
{
    /// <summary>Port 0 lets the kernel choose: see <see cref="DirectCarrierServer.EndPoint"/>.</summary>
    public required IPEndPoint EndPoint { get; init; }

    /// <summary>Also on the loopback address, same port: nodes dial that of a pod for a port-forward (as containerd's and CRI-O's streaming servers do).</summary>
    public bool AlsoLoopback { get; init; }

    /// <summary>Why flows should be opened at another replica, told to those who ping a shared connection; null while they are welcome.</summary>
    public Func<string?>? Unavailable { get; init; }

    /// <summary>The current server certificate with its chain; asked for each connection, so that it may be renewed.</summary>
    public required Func<SslStreamCertificateContext> Certificate { get; init; }

    /// <summary>Judges a client certificate once per connection; null denies it (the client is told so inside TLS). Must be fast and thread-safe.</summary>
    public required Func<X509Certificate2, PeerIdentity?> Identify { get; init; }

    /// <summary>Serves an agent's connection until it is over, having judged the certificate; null where no agents are expected. The connection is disposed after it.</summary>
    public Func<X509Certificate2, ExitConnection, CancellationToken, Task>? ServeExit { get; init; }

    /// <summary>From accept to the end of the TLS handshake.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Accepted connections on which nothing was said yet, as many as the kernel keeps for us before that; beyond them <see cref="Tls.StrangerLimit"/> decides.</summary>
    public int MaxSilent { get; init; } = 4096;

    /// <summary>Handshakes that were begun, each of which costs some 60 KiB; beyond them <see cref="Tls.StrangerLimit"/> decides, so that peers that never finish can't keep others out.</summary>
    public int MaxHandshakes { get; init; } = 256;

    /// <summary>Connections at most, idle or in use; each costs about 20 KiB.</summary>
    public int MaxConnections { get; init; } = 32768;

    /// <summary>A connection with no flow and no ping this long is closed; longer than the client's own timeout, so that it usually closes first.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromMinutes(3);
}
