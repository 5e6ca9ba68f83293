using Fairlead.Cli.Rendering;

namespace Fairlead.Tests.Cli.Rendering;

public sealed class HumaneTests
{
    [Theory]
    [InlineData(-5, "0s")]
    [InlineData(0, "0s")]
    [InlineData(119, "119s")]
    [InlineData(120, "2m")]
    [InlineData(7199, "119m")]
    [InlineData(7200, "2h")]
    [InlineData(172_799, "47h")]
    [InlineData(172_800, "2d")]
    public void Age_has_one_unit(int seconds, string said) => Humane.Age(TimeSpan.FromSeconds(seconds)).ShouldBe(said);

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1024, "1.0 KiB")]
    [InlineData(123_456, "121 KiB")]
    [InlineData(long.MaxValue, "8388608 TiB")]
    public void Bytes_are_counted_in_powers_of_1024(long bytes, string said) => Humane.Bytes(bytes).ShouldBe(said);

    [Theory]
    [InlineData("30d", 30 * 86400)]
    [InlineData("12h", 12 * 3600)]
    [InlineData("90m", 5400)]
    [InlineData("45s", 45)]
    public void Duration_with_a_unit_is_read(string text, int seconds) => Humane.ParseDuration(text).ShouldBe(TimeSpan.FromSeconds(seconds));

    [Theory]
    [InlineData("")]
    [InlineData("d")]
    [InlineData("30")]
    [InlineData("0d")]
    [InlineData("-1d")]
    [InlineData("1.5h")]
    [InlineData("30w")]
    [InlineData("99999999999d")]
    [InlineData("1000001d")]
    public void Duration_that_makes_no_sense_is_none(string text) => Humane.ParseDuration(text).ShouldBeNull();
}
