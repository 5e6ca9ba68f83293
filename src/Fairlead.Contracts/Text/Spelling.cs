namespace Fairlead.Contracts.Text;

/// <summary>Finds what a mistyped word was meant to be.</summary>
public static class Spelling
{
    /// <summary>Two slips in a word are still that word; a third could be any other.</summary>
    private const int MaxDistance = 2;

    /// <returns>The nearest candidate, the first of equals; null when none is near.</returns>
    public static string? Closest(string word, IEnumerable<string> candidates) =>
        candidates.Select(c => (Candidate: c, Distance: Distance(word, c))).Where(c => c.Distance <= MaxDistance).OrderBy(c => c.Distance).Select(c => c.Candidate).FirstOrDefault();

    /// <summary>Letters to insert, delete or replace (Levenshtein), row by row.</summary>
    public static int Distance(string left, string right)
    {
        var above = Enumerable.Range(0, right.Length + 1).ToArray();
        for (var i = 1; i <= left.Length; i++)
        {
            var row = new int[right.Length + 1];
            row[0] = i;
            for (var j = 1; j <= right.Length; j++)
            {
                var replaced = above[j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1);
                row[j] = Math.Min(replaced, Math.Min(above[j], row[j - 1]) + 1);
            }

            above = row;
        }

        return above[^1];
    }
}
