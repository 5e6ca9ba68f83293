using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Serialization;
using Fairlead.Tunnel;

namespace Fairlead.Gateway.Identity;

/// <summary>
/// Carries a Kubernetes user's uid, groups and extra values in the certificate, as JSON in an extension of our own: RBAC goes by them, and the
/// CertificateSigningRequest that told them is gone within the hour.
/// </summary>
internal static class AccountExtension
{
    /// <summary>More than a thousand groups; a TLS handshake carries it each time.</summary>
    public const int MaxLength = 32 * 1024;

    /// <summary>
    /// A UUID in pieces, under the arc that Microsoft keeps for them, for which nobody has to be asked. Not the one arc of ITU-T X.667 (2.25): API servers
    /// read certificates with Go's crypto/x509, which refuses an arc of more than 31 bits as a "malformed extension OID field".
    /// </summary>
    private static readonly Oid Identifier = new("1.2.840.113556.1.8000.2554.41006.44291.18513.19648.40564.9303664.5160761", "Fairlead Kubernetes account");

    public static byte[] Encode(KubernetesAccount account) => JsonSerializer.SerializeToUtf8Bytes(
        account with
        {
            Groups = [.. account.Groups.Distinct().Order(StringComparer.Ordinal)],
            Extra = new SortedDictionary<string, IReadOnlyList<string>>(account.Extra.ToDictionary(), StringComparer.Ordinal),
        },
        AccountJson.Default.KubernetesAccount);

    public static X509Extension Make(KubernetesAccount account) => new(Identifier, Encode(account), critical: false);

    /// <summary>Null without exactly one that can be read.</summary>
    public static KubernetesAccount? Read(X509Certificate2 certificate)
    {
        if (certificate.Extensions.Where(e => e.Oid?.Value == Identifier.Value).ToList() is not [var only])
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize(only.RawData, AccountJson.Default.KubernetesAccount);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(KubernetesAccount))]
internal sealed partial class AccountJson : JsonSerializerContext;
