namespace Fairlead.Contracts.Cluster;

/// <summary>
/// How rules and grants name namespaces and services: <c>*</c> is any run of characters, also none, <c>?</c> exactly one, everything else itself.
/// </summary>
public static class Glob
{
    /// <summary>Backtracks to the last <c>*</c> only: at worst the product of the two lengths, so that a hostile pattern can't be made slow.</summary>
    public static bool IsMatch(ReadOnlySpan<char> pattern, ReadOnlySpan<char> text)
    {
        int p = 0, t = 0, star = -1, resume = 0;
        while (t < text.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                star = p++;
                resume = t;
            }
            else if (p < pattern.Length && (pattern[p] == '?' || pattern[p] == text[t]))
            {
                p++;
                t++;
            }
            else if (star >= 0)
            {
                p = star + 1;
                t = ++resume;
            }
            else
            {
                return false;
            }
        }

        return pattern[p..].IndexOfAnyExcept('*') < 0;
    }
}
