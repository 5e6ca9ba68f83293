using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Fairlead.Contracts.Errors;

namespace Fairlead.Gateway.Identity;

/// <summary>Takes the public key out of a PKCS #10 request (RFC 2986) and nothing else.</summary>
internal static class SigningRequest
{
    /// <summary>A P-256 request is about 400 characters.</summary>
    private const int MaxLength = 4096;

    private const string P256 = "1.2.840.10045.3.1.7";

    /// <summary>Checks that the request is signed with the key that it asks for (proof of possession) and that the key is ECDSA P-256.</summary>
    /// <exception cref="FairleadException">It is not such a request.</exception>
    public static PublicKey ReadKey(string pem)
    {
        if (pem.Length > MaxLength)
        {
            throw Invalid("it is too long");
        }

        try
        {
            var request = CertificateRequest.LoadSigningRequestPem(pem, HashAlgorithmName.SHA256);
            using var key = request.PublicKey.GetECDsaPublicKey() ?? throw Invalid("its key is not ECDSA P-256");
            var curve = key.ExportParameters(includePrivateParameters: false).Curve;
            return curve.IsNamed && curve.Oid.Value == P256 ? request.PublicKey : throw Invalid("its key is not ECDSA P-256");
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or NotSupportedException)
        {
            throw Invalid("it can't be read, or is not signed with its own key", e);
        }
    }

    private static FairleadException Invalid(string why, Exception? inner = null) =>
        new(ErrorCategory.Usage, "certificate-request-invalid", "The certificate request can't be used", why, inner: inner);
}
