using System.Globalization;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Fairlead.Kubernetes;

/// <summary>What a scalar is in JSON. Quoted ones are text, plain ones may be null, a boolean or a number.</summary>
internal static class YamlScalar
{
    /// <exception cref="FormatException">A number that JSON doesn't have.</exception>
    public static JsonNode? ToJson(Scalar scalar)
    {
        var text = scalar.Value;
        if (!scalar.Tag.IsEmpty && scalar.Tag.Value is "tag:yaml.org,2002:binary")
        {
            return JsonValue.Create(string.Concat(text.Where(c => !char.IsWhiteSpace(c))));
        }

        if (scalar.Style != ScalarStyle.Plain || (!scalar.Tag.IsEmpty && scalar.Tag.Value is "tag:yaml.org,2002:str" or "!"))
        {
            return JsonValue.Create(text);
        }

        switch (text)
        {
            case "" or "~" or "null" or "Null" or "NULL":
                return null;
            case "true" or "True" or "TRUE" or "yes" or "Yes" or "YES" or "on" or "On" or "ON":
                return JsonValue.Create(true);
            case "false" or "False" or "FALSE" or "no" or "No" or "NO" or "off" or "Off" or "OFF":
                return JsonValue.Create(false);
            case ".nan" or ".NaN" or ".NAN" or ".inf" or ".Inf" or ".INF" or "+.inf" or "-.inf" or "-.Inf" or "-.INF":
                throw new FormatException($"line {scalar.Start.Line.ToString(CultureInfo.InvariantCulture)}: {text} has no form in JSON");
        }

        return TryNumber(text, out var number) ? number : JsonValue.Create(text);
    }

    /// <summary>Decimal, <c>0x</c>, <c>0o</c> and leading-zero octal, <c>0b</c>, and decimal fractions.</summary>
    private static bool TryNumber(string text, out JsonNode? number)
    {
        number = null;
        if (text.Length == 0 || !(char.IsAsciiDigit(text[0]) || text[0] is '-' or '+' or '.'))
        {
            return false;
        }

        var negative = text[0] == '-';
        var digits = text[0] is '-' or '+' ? text[1..] : text;
        if (digits.Length == 0 || !(char.IsAsciiDigit(digits[0]) || digits[0] == '.'))
        {
            return false;
        }

        if (TryInteger(digits.Replace("_", "", StringComparison.Ordinal), out var magnitude))
        {
            if (negative && magnitude > (ulong)long.MaxValue + 1)
            {
                return false;
            }

            number = negative ? JsonValue.Create(unchecked(-(long)magnitude)) : magnitude <= long.MaxValue ? JsonValue.Create((long)magnitude) : JsonValue.Create(magnitude);
            return true;
        }

        // An exponent alone makes no number of things like 1e3f; "1.2.3" and "10Mi" stay text.
        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        if (digits.Any(char.IsAsciiDigit) && double.TryParse(text, Style, CultureInfo.InvariantCulture, out var fraction) && double.IsFinite(fraction))
        {
            number = JsonValue.Create(fraction);
            return true;
        }

        return false;
    }

    private static bool TryInteger(string digits, out ulong value)
    {
        value = 0;
        var (radix, start) = digits switch
        {
            ['0', 'x' or 'X', _, ..] => (16u, 2),
            ['0', 'o' or 'O', _, ..] => (8u, 2),
            ['0', 'b' or 'B', _, ..] => (2u, 2),
            ['0', _, ..] => (8u, 1),
            _ => (10u, 0),
        };
        for (var i = start; i < digits.Length; i++)
        {
            var digit = char.IsAsciiHexDigit(digits[i]) ? (uint)Convert.ToInt32(digits[i].ToString(), 16) : uint.MaxValue;
            if (digit >= radix || value > (ulong.MaxValue - digit) / radix)
            {
                return false;
            }

            value = (value * radix) + digit;
        }

        return digits.Length > start;
    }
}
