// Texts as Go's libraries write them: callers of runc that read its log expect their quotes.

using System.Globalization;
using System.Text;

namespace Conman.CommandLine;

internal static class GoText
{
    /// <summary>A value of logrus's text format: bare where no character of it needs quotes.</summary>
    public static string Value(string text)
    {
        foreach (var c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && "-._/@^+".IndexOf(c) < 0)
                return Quoted(text);
        }
        return text;
    }

    /// <summary>strconv.Quote.</summary>
    public static string Quoted(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (var rune in text.EnumerateRunes())
        {
            var escape = rune.Value switch
            {
                '"' => "\\\"", '\\' => "\\\\", 7 => "\\a", 8 => "\\b", 12 => "\\f", 10 => "\\n", 13 => "\\r", 9 => "\\t", 11 => "\\v",
                < 0x20 or 0x7f => "\\x" + rune.Value.ToString("x2", CultureInfo.InvariantCulture),
                _ when Printable(rune) => null,
                < 0x10000 => "\\u" + rune.Value.ToString("x4", CultureInfo.InvariantCulture),
                _ => "\\U" + rune.Value.ToString("x8", CultureInfo.InvariantCulture),
            };
            if (escape is null)
                quoted.Append(rune.ToString());
            else
                quoted.Append(escape);
        }
        return quoted.Append('"').ToString();
    }

    /// <summary>encoding/json, which also escapes what HTML would mistake.</summary>
    public static string Json(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (var rune in text.EnumerateRunes())
        {
            var escape = rune.Value switch
            {
                '"' => "\\\"", '\\' => "\\\\", 8 => "\\b", 12 => "\\f", 10 => "\\n", 13 => "\\r", 9 => "\\t",
                < 0x20 or '<' or '>' or '&' or 0x2028 or 0x2029 => "\\u" + rune.Value.ToString("x4", CultureInfo.InvariantCulture),
                _ => null,
            };
            if (escape is null)
                quoted.Append(rune.ToString());
            else
                quoted.Append(escape);
        }
        return quoted.Append('"').ToString();
    }

    private static bool Printable(Rune rune) => rune.Value == ' ' || Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
        or UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
}
