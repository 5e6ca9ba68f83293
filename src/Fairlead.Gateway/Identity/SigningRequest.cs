using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Fairlead.Contracts.Errors;

namespace Fairlead.Gateway.Identity;

/// <summary>Reads PKCS #10 requests (RFC 2986).</summary>
internal static class SigningRequest
{
    /// <summary>A P-256 request is about 400 characters.</summary>
    private const int MaxLength = 4096;

    private const string P256 = "1.2.840.10045.3.1.7";
    private const string P384 = "1.3.132.0.34";

    /// <summary>The public key and nothing else of it; see <see cref="Read"/>.</summary>
    /// <exception cref="FairleadException">It is not such a request.</exception>
    public static PublicKey ReadKey(string pem) => Read(pem).PublicKey;

    /// <summary>
    /// Checks that the request is signed with the key that it asks for (proof of possession) and that the key is ECDSA on P-256 or P-384. RSA is
    /// refused: each flow's handshake would cost the gateway ten times as much.
    /// </summary>
    /// <exception cref="FairleadException">It is not such a request.</exception>
    public static CertificateRequest Read(string pem)
    {
        if (pem.Length > MaxLength)
        {
            throw Invalid("it is too long");
        }

        try
        {
            var request = CertificateRequest.LoadSigningRequestPem(pem, HashAlgorithmName.SHA256, CertificateRequestLoadOptions.UnsafeLoadCertificateExtensions);
            using var key = request.PublicKey.GetECDsaPublicKey() ?? throw Invalid("its key is not ECDSA on P-256 or P-384");
            var curve = key.ExportParameters(includePrivateParameters: false).Curve;
            return curve.IsNamed && curve.Oid.Value is P256 or P384 ? request : throw Invalid("its key is not ECDSA on P-256 or P-384");
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or NotSupportedException)
        {
            throw Invalid("it can't be read, or is not signed with its own key", e);
        }
    }

    private static FairleadException Invalid(string why, Exception? inner = null) =>
        new(ErrorCategory.Usage, "certificate-request-invalid", "The certificate request can't be used", why, inner: inner);
}
