using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Fairlead.Contracts.Errors;

namespace Fairlead.Contracts.Gateway;

/// <summary>
/// What a person without Kubernetes credentials is handed to join a space. As text: <c>flj1.</c>, base64url (RFC 4648 §5) of JSON, a dot and
/// the first 8 hexadecimal digits of the SHA-256 of the part before that dot, so that a token cut by a line break is told from a forged one.
/// </summary>
/// <param name="AuthoritySha256">SHA-256 of the space's CA certificate (DER), lower-case hexadecimal.</param>
/// <param name="Secret">One-time secret, base64url of 32 random bytes.</param>
public sealed record JoinToken(
    string SpaceName,
    string SpaceUid,
    IReadOnlyList<GatewayEndpoint> Endpoints,
    string AuthoritySha256,
    string InviteId,
    string Secret,
    DateTimeOffset Expires)
{
    private const string Prefix = "flj1.";

    /// <summary>Far above any real token; longer input is refused before it is decoded.</summary>
    private const int MaxLength = 8192;

    public string Encode()
    {
        var body = Prefix + Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(this, JoinTokenJson.Default.JoinToken));
        return body + "." + Checksum(body);
    }

    /// <summary>Reads a token as a person pastes it (white space around and line breaks inside are ignored).</summary>
    /// <exception cref="FairleadException">It is empty, truncated, of another version or not a token at all.</exception>
    public static JoinToken Parse(string text)
    {
        if (text.Length > MaxLength)
        {
            throw Invalid("token-invalid", "it is far longer than any join token");
        }

        var compact = string.Concat(text.Where(c => !char.IsWhiteSpace(c)));
        if (compact.Length == 0)
        {
            throw Invalid("token-empty", "it is empty");
        }

        if (!compact.StartsWith(Prefix, StringComparison.Ordinal))
        {
            throw Invalid("token-invalid", compact.StartsWith("flj", StringComparison.Ordinal) ? "it was made by another version of Fairlead" : "a join token starts with 'flj1.'");
        }

        var dot = compact.LastIndexOf('.');
        if (dot < Prefix.Length || !CryptographicOperations.FixedTimeEquals(System.Text.Encoding.ASCII.GetBytes(Checksum(compact[..dot])), System.Text.Encoding.ASCII.GetBytes(compact[(dot + 1)..])))
        {
            throw Invalid("token-truncated", "it is incomplete or was changed on the way (its checksum does not fit)");
        }

        try
        {
            var token = JsonSerializer.Deserialize(Base64Url.DecodeFromChars(compact.AsSpan(Prefix.Length, dot - Prefix.Length)), JoinTokenJson.Default.JoinToken)
                ?? throw Invalid("token-invalid", "it holds nothing");
            if (token.Endpoints.Count is 0 or > 16 || token.AuthoritySha256.Length != 64)
            {
                throw Invalid("token-invalid", "it names no gateway");
            }

            return token;
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            throw Invalid("token-invalid", "it cannot be decoded");
        }
    }

    private static FairleadException Invalid(string code, string why) => new(
        ErrorCategory.Usage, code, "This is not a join token that can be used", why, "Ask whoever invited you for the whole token ('fairlead space invite NAME' prints it).");

    private static string Checksum(string body) => Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.ASCII.GetBytes(body)))[..8];
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(JoinToken))]
internal sealed partial class JoinTokenJson : JsonSerializerContext;
