using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Fairlead.Kubernetes;

/// <summary>PEM that a kubeconfig gives either inline as base64 or by path. Inline wins, as in kubectl.</summary>
/// <param name="Owner">What it belongs to, for errors: <c>user "alice"</c>.</param>
internal readonly record struct PemSource(string Owner, string? File, string? Data)
{
    public bool IsEmpty => string.IsNullOrEmpty(File) && string.IsNullOrEmpty(Data);

    /// <summary>The PEM text.</summary>
    public string Read(string what)
    {
        try
        {
            return string.IsNullOrEmpty(Data)
                ? System.IO.File.ReadAllText(File!)
                : Encoding.UTF8.GetString(Convert.FromBase64String(Data));
        }
        catch (FormatException e)
        {
            throw new KubeConfigException($"can't read the {what} of {Owner}", "the inline data is not base64",
                "Write it as one line of base64 of a PEM file.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KubeConfigException($"can't read the {what} of {Owner}", e.Message, "Check the path and its permissions.", e);
        }
    }
}

/// <summary>Certificates and keys from PEM text.</summary>
internal static class Pem
{
    public static X509Certificate2Collection Certificates(PemSource source)
    {
        var text = source.Read("certificate authority");
        var certificates = new X509Certificate2Collection();
        try
        {
            certificates.ImportFromPem(text);
        }
        catch (CryptographicException e)
        {
            throw NotPem(source, "certificate authority", e);
        }

        return certificates.Count > 0 ? certificates : throw NotPem(source, "certificate authority", null);
    }

    /// <summary>The first certificate with its key; further certificates of the file are sent as its chain.</summary>
    public static SslStreamCertificateContext ClientCertificate(PemSource certificate, PemSource key)
    {
        var certificatePem = certificate.Read("client certificate");
        var keyPem = key.Read("client key");
        try
        {
            var chain = new X509Certificate2Collection();
            chain.ImportFromPem(certificatePem);
            if (chain.Count == 0)
            {
                throw NotPem(certificate, "client certificate", null);
            }

            var leaf = X509Certificate2.CreateFromPem(certificatePem, keyPem);
            if (OperatingSystem.IsWindows())
            {
                // SChannel can't use a key that lives only in this process.
                using var ephemeral = leaf;
                leaf = X509CertificateLoader.LoadPkcs12(ephemeral.Export(X509ContentType.Pkcs12), password: null);
            }

            chain.RemoveAt(0);
            return SslStreamCertificateContext.Create(leaf, chain, offline: true);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new KubeConfigException($"can't use the client certificate of {certificate.Owner}", e.Message.TrimEnd('.'),
                "The certificate and its unencrypted key must be PEM and belong together.", e);
        }
    }

    private static KubeConfigException NotPem(PemSource source, string what, Exception? inner) =>
        new($"can't read the {what} of {source.Owner}", "there is no PEM certificate in it",
            "It must hold one or more BEGIN CERTIFICATE blocks.", inner);
}
