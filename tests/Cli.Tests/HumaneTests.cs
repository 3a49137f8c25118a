// Sizes and times as Docker words them.

using Conman.Formatting;

namespace Conman.Cli.Tests;

public class HumaneTests
{
    [Theory]
    [InlineData(0, "0B"), InlineData(999, "999B"), InlineData(1000, "1kB"), InlineData(7_340_000, "7.34MB"), InlineData(123_456_789, "123MB")]
    [InlineData(1_050_000_000, "1.05GB"), InlineData(77_800_000, "77.8MB"), InlineData(5, "5B")]
    public void Sizes(long bytes, string expected) => Assert.Equal(expected, Humane.Size(bytes));

    [Theory]
    [InlineData(0, "0B"), InlineData(1023, "1023B"), InlineData(1024, "1KiB"), InlineData(503808, "492KiB"), InlineData(25_275_000_000, "23.54GiB")]
    public void Binary_sizes(long bytes, string expected) => Assert.Equal(expected, Humane.BinarySize(bytes));

    [Theory]
    [InlineData(0, "Less than a second"), InlineData(1, "1 second"), InlineData(59, "59 seconds"), InlineData(100, "About a minute"), InlineData(600, "10 minutes")]
    [InlineData(3600, "About an hour"), InlineData(7200, "2 hours"), InlineData(3 * 86400, "3 days"), InlineData(15 * 86400, "2 weeks"), InlineData(90 * 86400, "3 months")]
    [InlineData(800 * 86400, "2 years")]
    public void Durations(int seconds, string expected) => Assert.Equal(expected, Humane.Duration(TimeSpan.FromSeconds(seconds)));
}
