// Sizes as people and callers of runc write them.

using System.Globalization;

namespace Conman.Runtime;

public static class Sizes
{
    /// <summary><c>-1</c>; a number of bytes; or a number, perhaps with a fraction, and a unit of 1024 (<c>512M</c>, <c>1.5g</c>, <c>64KiB</c>).</summary>
    public static bool TryParse(string text, out long bytes)
    {
        bytes = -1;
        if (text == "-1")
            return true;
        var digits = 0;
        while (digits < text.Length && (char.IsAsciiDigit(text[digits]) || text[digits] == '.'))
            digits++;
        var power = text[digits..].Trim().ToUpperInvariant() switch
        {
            "" or "B" => 0,
            "K" or "KB" or "KIB" => 1,
            "M" or "MB" or "MIB" => 2,
            "G" or "GB" or "GIB" => 3,
            "T" or "TB" or "TIB" => 4,
            "P" or "PB" or "PIB" => 5,
            _ => -1,
        };
        if (power < 0 || !decimal.TryParse(text.AsSpan(0, digits), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
            return false;
        number *= 1L << (10 * power);
        bytes = number > long.MaxValue ? long.MaxValue : (long)number;
        return true;
    }
}
