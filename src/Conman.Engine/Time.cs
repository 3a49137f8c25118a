// Moments as Docker writes them.

using System.Globalization;

namespace Conman.Engine;

public static class Time
{
    /// <summary>What Docker says where there is no moment: the zero of Go's time.</summary>
    public const string Never = "0001-01-01T00:00:00Z";

    /// <summary>This moment, RFC 3339 with nanoseconds, in UTC.</summary>
    public static string Now => Format(DateTime.UtcNow, 0);

    /// <summary>RFC 3339 with nanoseconds, in UTC.</summary>
    /// <param name="nanoseconds">Of its second; 0: as the moment says.</param>
    public static string Format(DateTime moment, int nanoseconds)
    {
        if (nanoseconds == 0)
            nanoseconds = (int)(moment.Ticks % TimeSpan.TicksPerSecond) * 100;
        // By hand: the start of a container does not pay for a culture.
        return string.Create(30, (moment, nanoseconds), static (text, of) =>
        {
            "0000-00-00T00:00:00.000000000Z".CopyTo(text);
            Put(text[..4], of.moment.Year);
            Put(text[5..7], of.moment.Month);
            Put(text[8..10], of.moment.Day);
            Put(text[11..13], of.moment.Hour);
            Put(text[14..16], of.moment.Minute);
            Put(text[17..19], of.moment.Second);
            Put(text[20..29], of.nanoseconds);
        });
    }

    /// <summary>Null: it is none.</summary>
    public static DateTimeOffset? Parse(string? text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var moment) ? moment : null;

    private static void Put(Span<char> digits, int number)
    {
        for (var i = digits.Length - 1; i >= 0; i--, number /= 10)
            digits[i] = (char)('0' + number % 10);
    }
}
