// What every message about a document must be.

using System.Globalization;

namespace Conman.Oci.Tests;

internal static class OneLine
{
    /// <summary>One line that a terminal shows as it is, and no longer than a person reads.</summary>
    public static void Check(OciFormatException error)
    {
        Assert.InRange(error.Message.Length, 10, 1000);
        foreach (var rune in error.Message.EnumerateRunes())
        {
            var category = System.Text.Rune.GetUnicodeCategory(rune);
            Assert.False(
                category is UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.Format,
                $"U+{rune.Value:X4} in: {error.Message}");
        }
        foreach (var c in error.Message)
            Assert.False(c == '\ufffd', $"not text: {error.Message}");
    }
}
