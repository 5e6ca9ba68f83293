using System.Security.Cryptography;

namespace Fairlead.Sandbox.ApiServer.Storage;

/// <summary>Names of objects that came with <c>generateName</c>.</summary>
internal static class GeneratedName
{
    private const string Alphabet = "bcdfghjklmnpqrstvwxz2456789"; // Kubernetes' own: no vowels, so no words.
    private const int SuffixLength = 5;
    private const int NameLimit = 63; // What fits a label and a host name; longer prefixes are cut, as in Kubernetes.

    /// <exception cref="StatusException">422: neither a name nor a prefix.</exception>
    public static string Choose(string prefix, Func<string, bool> isTaken)
    {
        if (prefix.Length == 0)
        {
            throw new StatusException(422, "Invalid", "metadata.name: Required value: name or generateName is required");
        }

        prefix = prefix[..Math.Min(prefix.Length, NameLimit - SuffixLength)];
        string name;
        do
        {
            name = prefix + Suffix();
        }
        while (isTaken(name));

        return name;
    }

    public static string Suffix() => RandomNumberGenerator.GetString(Alphabet, SuffixLength);
}
