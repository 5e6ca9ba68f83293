using System.Buffers.Text;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Fairlead.Sandbox.ApiServer.Admission;

/// <summary>The two PEM texts in a CertificateSigningRequest, base64 in JSON.</summary>
internal static class SigningRequests
{
    private const string OrganizationOid = "2.5.4.10";

    /// <summary>Why a request can't be one, or null.</summary>
    public static string? ProblemOfRequest(string? encoded)
    {
        if (Blocks(encoded) is not [("CERTIFICATE REQUEST", _), ..])
        {
            return "PEM block type must be CERTIFICATE REQUEST";
        }

        try
        {
            Parse(encoded!);
            return null;
        }
        catch (Exception failure) when (failure is CryptographicException or ArgumentException)
        {
            return failure.Message;
        }
    }

    /// <summary>Why this can't be an issued certificate and its chain, or null.</summary>
    public static string? ProblemOfCertificate(string? encoded)
    {
        var blocks = Blocks(encoded);
        if (blocks.Count == 0)
        {
            return "must contain at least one CERTIFICATE PEM block";
        }

        if (blocks.FirstOrDefault(block => block.Label != "CERTIFICATE") is { Label: { } other })
        {
            return $"only CERTIFICATE PEM blocks are allowed, found \"{other}\"";
        }

        try
        {
            foreach (var (_, der) in blocks)
            {
                X509CertificateLoader.LoadCertificate(der).Dispose();
            }

            return null;
        }
        catch (CryptographicException failure)
        {
            return failure.Message;
        }
    }

    /// <summary>The organizations that a request asks for; none when it can't be read.</summary>
    public static IReadOnlyList<string> Organizations(string? encoded) => ProblemOfRequest(encoded) is not null
        ? []
        : [.. Parse(encoded!).SubjectName.EnumerateRelativeDistinguishedNames().Where(part => !part.HasMultipleElements && part.GetSingleElementType().Value == OrganizationOid)
            .Select(part => part.GetSingleElementValue()).OfType<string>()];

    /// <summary>As the real server: what it asks for is read, whether it is signed with its own key is the signer's to check.</summary>
    private static CertificateRequest Parse(string encoded) => CertificateRequest.LoadSigningRequestPem(
        Text(encoded),
        HashAlgorithmName.SHA256,
        CertificateRequestLoadOptions.SkipSignatureValidation | CertificateRequestLoadOptions.UnsafeLoadCertificateExtensions);

    private static List<(string Label, byte[] Der)> Blocks(string? encoded)
    {
        var rest = Text(encoded ?? "").AsSpan();
        var blocks = new List<(string, byte[])>();
        while (PemEncoding.TryFind(rest, out var fields))
        {
            blocks.Add((rest[fields.Label].ToString(), Convert.FromBase64String(rest[fields.Base64Data].ToString())));
            rest = rest[fields.Location.End..];
        }

        return blocks;
    }

    /// <summary>What is no base64 is refused as a value of another type, later.</summary>
    private static string Text(string encoded) => Base64.IsValid(encoded) ? Encoding.ASCII.GetString(Convert.FromBase64String(encoded)) : "";
}
