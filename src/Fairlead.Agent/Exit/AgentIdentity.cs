using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Agent.Exit;

/// <summary>What the agent proves itself with, in memory only. Owns the certificates.</summary>
internal sealed class AgentIdentity(X509Certificate2 certificate, X509Certificate2 authority) : IDisposable
{
    /// <summary>Two certificates of about 1 KiB.</summary>
    private const int MaxAnswer = 64 * 1024;

    public X509Certificate2 Certificate => certificate;

    public X509Certificate2 Authority => authority;

    /// <summary>Makes a key, and has it certified for the token's nonce.</summary>
    /// <param name="client">Trusts the token's gateway alone. Disposed here.</param>
    /// <exception cref="FairleadException">The gateway refuses, or its answer is of no use.</exception>
    /// <exception cref="HttpRequestException">It can't be reached.</exception>
    public static async Task<AgentIdentity> EnrollAsync(JoinToken token, HttpClient client, CancellationToken cancellationToken)
    {
        using var gateway = client;
        gateway.MaxResponseContentBufferSize = MaxAnswer;
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new EnrollRequest(token.InviteId, token.Secret, new CertificateRequest("CN=fairlead-agent", key, HashAlgorithmName.SHA256).CreateSigningRequestPem());
        using var response = await gateway.PostAsync(GatewayApi.Agent, JsonContent.Create(request, GatewayJson.Default.EnrollRequest), cancellationToken);
        var body = await response.Content.ReadAsStringAsync(cancellationToken);
        try
        {
            if (!response.IsSuccessStatusCode)
            {
                throw new FairleadException(JsonSerializer.Deserialize(body, GatewayJson.Default.ErrorResponse)?.Error ?? Unusable($"it answered {(int)response.StatusCode}"));
            }

            var answer = JsonSerializer.Deserialize(body, GatewayJson.Default.CertificateResponse) ?? throw new JsonException();
            var authority = X509Certificate2.CreateFromPem(answer.Authority);
            using var certificate = X509Certificate2.CreateFromPem(answer.Certificate);
            if (!Convert.ToHexString(SHA256.HashData(authority.RawData)).Equals(token.AuthoritySha256, StringComparison.OrdinalIgnoreCase))
            {
                throw new FairleadException(Unusable("its authority is not the token's"));
            }

            // Throws when it certified another key.
            return new AgentIdentity(certificate.CopyWithPrivateKey(key), authority);
        }
        catch (Exception e) when (e is JsonException or CryptographicException or ArgumentException)
        {
            throw new FairleadException(Unusable("it holds no certificate for our key"), e);
        }
    }

    public void Dispose()
    {
        certificate.Dispose();
        authority.Dispose();
    }

    private static ErrorInfo Unusable(string why) => new(ErrorCategory.Failed, "gateway-version", "The gateway's answer makes no sense", why);
}
