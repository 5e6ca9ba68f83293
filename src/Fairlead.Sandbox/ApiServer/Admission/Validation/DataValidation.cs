using System.Buffers.Text;
using System.Text;

namespace Fairlead.Sandbox.ApiServer.Admission.Validation;

/// <summary>ConfigMaps and Secrets.</summary>
internal static class DataValidation
{
    private const int SizeLimit = 1024 * 1024;

    public static void ConfigMap(ObjectValidation map)
    {
        Check(map, encoded: false);
        foreach (var key in (map.Value.Map("binaryData") ?? []).Select(entry => entry.Key).Where(key => map.Value.At("data", key) is not null))
        {
            map.Errors.Invalid("data", key, "duplicate of key present in binaryData");
        }
    }

    public static void Secret(ObjectValidation secret)
    {
        Check(secret, encoded: true);
        secret.Immutable("field is immutable", "type");
        foreach (var key in RequiredKeys(secret.Value.Text("type")).Where(key => secret.Value.At("data", key) is null))
        {
            secret.Errors.Required($"data[{key}]");
        }
    }

    private static string[] RequiredKeys(string? type) => type switch
    {
        "kubernetes.io/tls" => ["tls.crt", "tls.key"],
        "kubernetes.io/dockerconfigjson" => [".dockerconfigjson"],
        "kubernetes.io/ssh-auth" => ["ssh-privatekey"],
        _ => [],
    };

    private static void Check(ObjectValidation data, bool encoded)
    {
        var size = 0L;
        foreach (var (key, value) in data.Value.Map("data") ?? [])
        {
            var field = $"data[{key}]";
            if (key.Length is 0 or > 253 || key is "." or ".." || !key.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'))
            {
                data.Errors.Invalid(field, key, "a valid config key must consist of alphanumeric characters, '-', '_' or '.'");
            }

            if (value.Text() is not { } text)
            {
                data.Errors.TypeInvalid(field, value, "must be a string");
                continue;
            }

            if (encoded && !Base64.IsValid(text))
            {
                data.Errors.Invalid(field, "", "illegal base64 data");
            }

            size += encoded ? text.Length / 4 * 3 : Encoding.UTF8.GetByteCount(text);
        }

        if (size > SizeLimit)
        {
            data.Errors.TooLong("", SizeLimit);
        }

        if (data.Old?.Flag("immutable") == true)
        {
            data.Immutable("field is immutable when `immutable` is set", "data");
            data.Immutable("field is immutable when `immutable` is set", "immutable");
        }
    }
}
