using System.Globalization;
using System.Text.Json.Nodes;

namespace Fairlead.Kubernetes;

/// <summary>Plain scalars that are numbers: decimal, <c>0x</c>, <c>0o</c> and leading-zero octal, <c>0b</c>, and decimal fractions.</summary>
internal static class YamlNumber
{
    public static bool TryParse(string text, out JsonNode? number)
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
