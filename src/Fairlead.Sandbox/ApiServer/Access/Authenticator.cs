using System.Runtime.CompilerServices;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Access;

/// <summary>Who sends a request: by client certificate, else by bearer token, else anonymous.</summary>
internal sealed class Authenticator(ClusterCertificates certificates, TokenIssuer tokens)
{
    // Each connection has an object of its own; requests of one connection come at the same time (HTTP/2).
    private readonly ConditionalWeakTable<X509Certificate2, StrongBox<User?>> identified = new();

    /// <exception cref="StatusException">401: credentials that aren't good.</exception>
    public User Authenticate(HttpContext context)
    {
        if (context.Connection.ClientCertificate is { } certificate && Identify(certificate) is { } user)
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
    private User? Identify(X509Certificate2 certificate) => identified.GetValue(certificate, presented => new StrongBox<User?>(certificates.Identify(presented))).Value;

    private static string? Bearer(HttpRequest request)
    {
        const string scheme = "Bearer ";
        var header = request.Headers.Authorization.ToString();
        return header.StartsWith(scheme, StringComparison.OrdinalIgnoreCase) ? header[scheme.Length..].Trim() : null;
    }
}
