using System.Globalization;
using Fairlead.Linux.Limits;

namespace Fairlead.Tests.Linux.Limits;

public sealed class OpenFileLimitTests
{
    [Theory]
    [InlineData(1024, 4096, 1_048_576, 1_048_576)]
    [InlineData(4096, 2_000_000, 1_048_576, 2_000_000)]
    [InlineData(2_000_000, ulong.MaxValue, 2_000_000, ulong.MaxValue)]
    public void RaisedTo_never_lowers(ulong soft, ulong hard, ulong expectedSoft, ulong expectedHard) =>
        new OpenFileLimit(soft, hard).RaisedTo(OpenFileLimit.Usual).ShouldBe(new OpenFileLimit(expectedSoft, expectedHard));

    [Fact]
    public void Current_is_what_the_kernel_shows()
    {
        var shown = File.ReadLines("/proc/self/limits").Single(l => l.StartsWith("Max open files", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries);

        OpenFileLimit.Current.ShouldBe(new OpenFileLimit(ulong.Parse(shown[3], CultureInfo.InvariantCulture), ulong.Parse(shown[4], CultureInfo.InvariantCulture)));
    }

    [Fact]
    public void Raise_reports_what_holds_and_does_not_lower()
    {
        var before = OpenFileLimit.Current;

        var raised = OpenFileLimit.Raise();

        raised.ShouldBe(OpenFileLimit.Current);
        raised.Soft.ShouldBeGreaterThanOrEqualTo(before.Soft);
        raised.Hard.ShouldBeGreaterThanOrEqualTo(before.Hard);
    }
}
