// Sizes and times as Docker shows them: "7.8MB", "3 weeks ago".

using System.Globalization;

namespace Conman.Formatting;

internal static class Humane
{
    private static readonly string[] Units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"], BinaryUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    /// <summary>Bytes in units of 1000, with so many digits as make <paramref name="digits"/> in all.</summary>
    public static string Size(double bytes, int digits = 3) => InUnits(bytes, 1000, Units, digits);

    /// <summary>Bytes in units of 1024, as memory is shown.</summary>
    public static string BinarySize(double bytes) => InUnits(bytes, 1024, BinaryUnits, 4);

    private static string InUnits(double bytes, double step, string[] units, int digits)
    {
        var unit = 0;
        while (bytes >= step && unit < units.Length - 1)
        {
            bytes /= step;
            unit++;
        }
        return Significant(bytes, digits) + units[unit];
    }

    /// <summary>How long ago a time was, or <c>N/A</c> for one that is not known.</summary>
    public static string Ago(DateTimeOffset? time, DateTimeOffset now) => time is null ? "N/A" : Duration(now - time.Value) + " ago";

    /// <summary>A duration in its largest unit.</summary>
    public static string Duration(TimeSpan span) => span.TotalSeconds switch
    {
        < 1 => "Less than a second",
        < 2 => "1 second",
        < 60 => $"{(int)span.TotalSeconds} seconds",
        < 120 => "About a minute",
        < 46 * 60 => $"{(int)span.TotalMinutes} minutes",
        < 90 * 60 => "About an hour",
        < 48 * 3600 => $"{(int)(span.TotalHours + 0.5)} hours",
        < 14 * 86400 => $"{(int)span.TotalDays} days",
        < 60 * 86400 => $"{(int)(span.TotalDays / 7)} weeks",
        < 730 * 86400.0 => $"{(int)(span.TotalDays / 30)} months",
        _ => $"{(int)(span.TotalDays / 365)} years",
    };

    // %.Ng of C: so many digits, and no zeros at the end.
    private static string Significant(double value, int digits)
    {
        var before = value < 1 ? 1 : (int)Math.Floor(Math.Log10(value)) + 1;
        return Math.Round(value, Math.Max(0, digits - before)).ToString("0.###", CultureInfo.InvariantCulture);
    }
}
