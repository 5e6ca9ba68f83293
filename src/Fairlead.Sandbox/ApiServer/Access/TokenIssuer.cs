using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Kinds;

namespace Fairlead.Sandbox.ApiServer.Access;

/// <summary>
/// Tokens of service accounts: JSON web tokens (RFC 7519), ES256, good while the account and the pod that they name exist
/// (https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens).
/// </summary>
internal sealed class TokenIssuer(IObjectStore store, TimeProvider time) : IDisposable
{
    public const string Issuer = "https://kubernetes.default.svc.cluster.local";

    /// <summary>The longest token taken for one: ours are about 1 KiB.</summary>
    private const int LengthLimit = 16 * 1024;

    private static readonly string Header = Encode(new JsonObject { ["alg"] = "ES256", ["typ"] = "JWT" });

    private readonly ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    /// <param name="account">The ServiceAccount.</param>
    /// <param name="pod">The Pod to bind it to; null: none.</param>
    /// <param name="audiences">Empty: the API server.</param>
    /// <param name="lifetime">From now.</param>
    public (string Token, DateTimeOffset Expires) Issue(JsonObject account, JsonObject? pod, IReadOnlyList<string> audiences, TimeSpan lifetime)
    {
        var now = time.GetUtcNow();
        var expires = now + lifetime;
        var names = new JsonObject
        {
            ["namespace"] = account.Namespace(),
            ["serviceaccount"] = new JsonObject { ["name"] = account.Name(), ["uid"] = account.Uid() },
        };
        if (pod is not null)
        {
            names["pod"] = new JsonObject { ["name"] = pod.Name(), ["uid"] = pod.Uid() };
        }

        var payload = Encode(new JsonObject
        {
            ["aud"] = new JsonArray([.. audiences.DefaultIfEmpty(Issuer).Select(audience => JsonValue.Create(audience))]),
            ["exp"] = expires.ToUnixTimeSeconds(),
            ["iat"] = now.ToUnixTimeSeconds(),
            ["nbf"] = now.ToUnixTimeSeconds(),
            ["iss"] = Issuer,
            ["jti"] = Guid.NewGuid().ToString(),
            ["kubernetes.io"] = names,
            ["sub"] = $"system:serviceaccount:{account.Namespace()}:{account.Name()}",
        });
        var signature = key.SignData(Encoding.ASCII.GetBytes($"{Header}.{payload}"), HashAlgorithmName.SHA256);
        return ($"{Header}.{payload}.{Base64Url.EncodeToString(signature)}", expires);
    }

    /// <summary>Whose token it is; null when it isn't one of ours, not for these audiences, expired, or its account or pod is gone.</summary>
    /// <param name="token">As the client sent it.</param>
    /// <param name="audiences">It must be meant for one of these. Empty: for the API server.</param>
    public (User User, IReadOnlyList<string> Audiences)? Verify(string token, IReadOnlyList<string> audiences)
    {
        if (token.Length > LengthLimit || token.Split('.') is not [var header, var payload, var signature] || header != Header)
        {
            return null;
        }

        if (Decode(signature) is not { } signed || !key.VerifyData(Encoding.UTF8.GetBytes($"{header}.{payload}"), signed, HashAlgorithmName.SHA256))
        {
            return null;
        }

        var claims = JsonText.Parse(Base64Url.DecodeFromChars(payload)) as JsonObject;
        var meantFor = claims.Texts("aud").Intersect(audiences.DefaultIfEmpty(Issuer)).ToArray();
        var now = time.GetUtcNow().ToUnixTimeSeconds();
        if (meantFor.Length == 0 || claims.Number("exp") is not { } expires || now >= expires || claims.Number("nbf") > now)
        {
            return null;
        }

        return Holder(claims.Map("kubernetes.io")) is { } user ? (user, meantFor) : null;
    }

    public void Dispose() => key.Dispose();

    private User? Holder(JsonObject? names)
    {
        var @namespace = names.Text("namespace") ?? "";
        if (!StillThere(BuiltInKinds.ServiceAccounts, @namespace, names.Map("serviceaccount")))
        {
            return null;
        }

        var user = User.ServiceAccount(@namespace, names.Text("serviceaccount", "name")!) with { Uid = names.Text("serviceaccount", "uid")! };
        if (names.Map("pod") is not { } pod)
        {
            return user;
        }

        var extra = new Dictionary<string, string>
        {
            ["authentication.kubernetes.io/pod-name"] = pod.Text("name")!,
            ["authentication.kubernetes.io/pod-uid"] = pod.Text("uid")!,
        };
        return StillThere(BuiltInKinds.Pods, @namespace, pod) ? user with { Extra = extra } : null;
    }

    private bool StillThere(ResourceId resource, string @namespace, JsonObject? reference) =>
        store.Get(resource, @namespace, reference.Text("name") ?? "") is { } value && value.Uid() == reference.Text("uid");

    private static string Encode(JsonObject part) => Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(part, JsonText.Context.JsonObject));

    private static byte[]? Decode(string text) => Base64Url.IsValid(text) ? Base64Url.DecodeFromChars(text) : null;
}
