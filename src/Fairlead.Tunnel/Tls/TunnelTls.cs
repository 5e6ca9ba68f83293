using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Tunnel.Tls;

/// <summary>
/// What the laptop's end proves itself with and whom it trusts: the space's CA is the only root, the server must carry the space's name
/// (never an address), whatever way it was reached. The certificate may change on renewal: each new connection takes the current one.
/// </summary>
/// <param name="spaceUid">The space's uid; the expected server name is <see cref="GatewayApi.ServerName"/> of it.</param>
/// <param name="authority">The space's CA certificate. Owned by the caller.</param>
/// <param name="certificate">The current client certificate with its private key. Owned by the caller; must outlive connections made with it.</param>
public sealed class TunnelTls(string spaceUid, X509Certificate2 authority, Func<X509Certificate2> certificate)
{
    public string ServerName { get; } = GatewayApi.ServerName(spaceUid);

    public X509Certificate2 Authority { get; } = authority;

    public X509Certificate2 Certificate => certificate();
}
