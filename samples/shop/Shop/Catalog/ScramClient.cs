using System.Security.Cryptography;
using System.Text;

namespace Shop.Catalog;

/// <summary>The client's side of SCRAM-SHA-256 (RFC 7677, RFC 5802), without channel binding.</summary>
internal sealed class ScramClient(string password)
{
    public const string Mechanism = "SCRAM-SHA-256";

    private const string NoChannelBinding = "n,,";
    private readonly string _nonce = Convert.ToBase64String(RandomNumberGenerator.GetBytes(18));
    private byte[] _serverSignature = [];

    /// <summary>PostgreSQL takes the user from the start message and ignores the one here.</summary>
    private string FirstBare => $"n=,r={_nonce}";

    public string First() => NoChannelBinding + FirstBare;

    public string Final(string serverFirst)
    {
        var nonce = Attribute(serverFirst, 'r');
        if (!nonce.StartsWith(_nonce, StringComparison.Ordinal))
        {
            throw new InvalidDataException("the server answered with another nonce");
        }

        var salt = Convert.FromBase64String(Attribute(serverFirst, 's'));
        var salted = Rfc2898DeriveBytes.Pbkdf2(password, salt, int.Parse(Attribute(serverFirst, 'i')), HashAlgorithmName.SHA256, 32);
        var withoutProof = $"c={Convert.ToBase64String(Encoding.UTF8.GetBytes(NoChannelBinding))},r={nonce}";
        var signed = Encoding.UTF8.GetBytes($"{FirstBare},{serverFirst},{withoutProof}");

        var clientKey = HMACSHA256.HashData(salted, "Client Key"u8);
        var proof = HMACSHA256.HashData(SHA256.HashData(clientKey), signed);
        for (var i = 0; i < proof.Length; i++)
        {
            proof[i] ^= clientKey[i];
        }

        _serverSignature = HMACSHA256.HashData(HMACSHA256.HashData(salted, "Server Key"u8), signed);
        return $"{withoutProof},p={Convert.ToBase64String(proof)}";
    }

    public void Verify(string serverFinal)
    {
        if (!CryptographicOperations.FixedTimeEquals(Convert.FromBase64String(Attribute(serverFinal, 'v')), _serverSignature))
        {
            throw new InvalidDataException("the server does not know the password");
        }
    }

    private static string Attribute(string message, char name) =>
        message.Split(',').FirstOrDefault(a => a.Length > 1 && a[0] == name && a[1] == '=')?[2..] ?? throw new InvalidDataException($"the server's message lacks {name}=");
}
