// Numbers as options write them: sizes, durations, parts of a CPU.

using System.Globalization;
using Conman.CommandLine;
using Conman.Engine;
using Conman.Runtime;

namespace Conman;

internal static class Quantities
{
    /// <summary>Bytes, of <c>64m</c> or <c>1.5g</c>.</summary>
    /// <param name="unlimited">-1 may stand for "no limit".</param>
    public static long Size(string flag, string text, bool unlimited = false) =>
        Sizes.TryParse(text, out var bytes) && (bytes >= 0 || unlimited) ? bytes : throw new UsageException($"--{flag} {text}: not a size, such as 512m or 1.5g");

    /// <summary>A whole number within bounds.</summary>
    public static long Integer(string flag, string text, long least, long most) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? number
            : throw new UsageException(least == long.MinValue || most == long.MaxValue ? $"--{flag} {text}: not a whole number{(least == 0 ? " that is not negative" : "")}" : $"--{flag} {text}: not a whole number from {least} to {most}");

    /// <summary>Billionths of a CPU, of <c>1.5</c>.</summary>
    public static long Cpus(string text) =>
        decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var cpus) && cpus <= 1_000_000 && cpus * 1_000_000_000 == decimal.Truncate(cpus * 1_000_000_000)
            ? (long)(cpus * 1_000_000_000)
            : throw new UsageException($"--cpus {text}: not a number of CPUs, such as 1.5");

    /// <summary>Nanoseconds, of a duration as Go writes it: <c>1m30s</c>, <c>500ms</c>, <c>1.5h</c>; <c>0</c>.</summary>
    public static long Duration(string flag, string text)
    {
        decimal sum = 0;
        var at = 0;
        while (at < text.Length)
        {
            var begin = at;
            while (at < text.Length && (char.IsAsciiDigit(text[at]) || text[at] == '.'))
                at++;
            var unit = at;
            while (at < text.Length && !char.IsAsciiDigit(text[at]) && text[at] != '.')
                at++;
            if (!decimal.TryParse(text.AsSpan(begin, unit - begin), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
                throw Wrong();
            sum += number * text[unit..at] switch
            {
                "ns" => 1m,
                "us" or "µs" => 1_000m,
                "ms" => 1_000_000m,
                "s" => 1_000_000_000m,
                "m" => 60_000_000_000m,
                "h" => 3_600_000_000_000m,
                "" when text == "0" => 0m,
                _ => throw Wrong(),
            };
            if (sum > long.MaxValue)
                throw Wrong();
        }
        return text.Length > 0 ? (long)sum : throw Wrong();

        UsageException Wrong() => new($"--{flag} {text}: not a duration, such as 30s or 1m30s");
    }
}
