using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Access;

/// <summary>Who sends a request: by client certificate, else by bearer token, else anonymous.</summary>
internal sealed class Authenticator(ClusterCertificates certificates, TokenIssuer tokens)
{
    private static readonly object CertificateUser = new();

    /// <exception cref="StatusException">401: credentials that aren't good.</exception>
    public User Authenticate(HttpContext context)
    {
        if (context.Connection.ClientCertificate is { } certificate && Identify(context, certificate) is { } user)
        {
            return user;
        }

        if (Bearer(context.Request) is { } token)
        {
            return tokens.Verify(token, [])?.User ?? throw Failures.Unauthorized();
        }

        return context.Connection.ClientCertificate is null ? User.Anonymous : throw Failures.Unauthorized();
    }

    /// <summary>Checking a chain costs more than a small request: it is done once for each connection.</summary>
    private User? Identify(HttpContext context, X509Certificate2 certificate)
    {
        var items = context.Features.Get<IConnectionItemsFeature>()?.Items;
        if (items is not null && items.TryGetValue(CertificateUser, out var known))
        {
            return known as User;
        }

        var user = certificates.Identify(certificate);
        if (items is not null)
        {
            items[CertificateUser] = user;
        }

        return user;
    }

    private static string? Bearer(HttpRequest request)
    {
        const string scheme = "Bearer ";
        var header = request.Headers.Authorization.ToString();
        return header.StartsWith(scheme, StringComparison.OrdinalIgnoreCase) ? header[scheme.Length..].Trim() : null;
    }
}
