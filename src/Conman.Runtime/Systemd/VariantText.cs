// GVariant's text format (glib, "GVariant Text Format"), as far as properties of units need it: scalars, strings, arrays and tuples of them.

using System.Globalization;
using System.Text;

namespace Conman.Runtime.Systemd;

/// <summary>Text → value. Types are as GVariant infers them: a whole number is <c>i</c> unless a keyword stands before it.</summary>
internal static class VariantText
{
    private static readonly (string Keyword, string Type)[] Keywords =
    [
        ("boolean", "b"), ("byte", "y"), ("int16", "n"), ("uint16", "q"), ("int32", "i"), ("uint32", "u"), ("int64", "x"), ("uint64", "t"),
        ("double", "d"), ("string", "s"), ("objectpath", "o"), ("signature", "g"),
    ];

    /// <summary>The value, or null.</summary>
    public static BusValue? TryParse(string text)
    {
        var rest = text.AsSpan();
        return Value(ref rest, "") is { } value && rest.Trim().IsEmpty ? value : null;
    }

    // expected: the type that an @ or the array's first element has set; empty: none.
    private static BusValue? Value(ref ReadOnlySpan<char> rest, string expected)
    {
        rest = rest.TrimStart();
        if (rest.IsEmpty)
            return null;
        switch (rest[0])
        {
            case '@':
                var end = rest.IndexOf(' ');
                if (end < 2)
                    return null;
                var type = rest[1..end].ToString();
                rest = rest[end..];
                return Value(ref rest, type);
            case '\'' or '"':
                return Quoted(ref rest) is { } text ? Scalar(expected.Length > 0 ? expected : "s", text) : null;
            case '[':
                return Array(ref rest, expected);
            case '(':
                return Tuple(ref rest, expected);
        }
        var length = rest.IndexOfAny(" ,])");
        var word = (length < 0 ? rest : rest[..length]).ToString();
        rest = rest[word.Length..];
        foreach (var (keyword, type) in Keywords)
        {
            if (word == keyword)
                return Value(ref rest, type);
        }
        if (expected.Length == 0)
            expected = word is "true" or "false" ? "b" : word.AsSpan().IndexOfAny(".e") >= 0 ? "d" : "i";
        return Scalar(expected, word);
    }

    private static BusValue? Array(ref ReadOnlySpan<char> rest, string expected)
    {
        if (expected.Length > 0 && expected[0] != 'a')
            return null;
        var element = expected.Length > 0 ? expected[1..] : "";
        if (Elements(ref rest, ']', _ => element) is not { } values || element.Length + values.Count == 0)
            return null;
        if (element.Length == 0)
            element = values[0].Signature;
        if (values.Exists(v => v.Signature != element))
            return null;
        return new("a" + element, w => w.Array(Alignment(element[0]), () =>
        {
            foreach (var value in values)
                value.Write(w);
        }));
    }

    private static BusValue? Tuple(ref ReadOnlySpan<char> rest, string expected)
    {
        var inside = expected.Length > 2 && expected[0] == '(' ? expected[1..^1] : "";
        // The types of a tuple's members can be told apart where each is one letter.
        if (Elements(ref rest, ')', i => i < inside.Length && !inside.AsSpan().ContainsAny("a(") ? inside[i].ToString() : "") is not { Count: > 0 } values)
            return null;
        var signature = "(" + string.Concat(values.Select(v => v.Signature)) + ")";
        return expected.Length > 0 && expected != signature ? null : new(signature, w =>
        {
            w.Align(8);
            foreach (var value in values)
                value.Write(w);
        });
    }

    private static List<BusValue>? Elements(ref ReadOnlySpan<char> rest, char close, Func<int, string> type)
    {
        var values = new List<BusValue>();
        rest = rest[1..].TrimStart();
        while (rest.Length > 0 && rest[0] != close)
        {
            if (Value(ref rest, type(values.Count)) is not { } value)
                return null;
            values.Add(value);
            rest = rest.TrimStart();
            if (rest.Length > 0 && rest[0] == ',')
                rest = rest[1..].TrimStart();
            else if (rest.Length == 0 || rest[0] != close)
                return null;
        }
        if (rest.IsEmpty)
            return null;
        rest = rest[1..];
        return values;
    }

    private static string? Quoted(ref ReadOnlySpan<char> rest)
    {
        var text = new StringBuilder();
        for (var i = 1; i < rest.Length; i++)
        {
            if (rest[i] == rest[0])
            {
                rest = rest[(i + 1)..];
                return text.ToString();
            }
            if (rest[i] == '\\' && ++i == rest.Length)
                return null;
            text.Append(rest[i - 1] != '\\' ? rest[i] : rest[i] switch { 'n' => '\n', 't' => '\t', 'r' => '\r', var c => c });
        }
        return null;
    }

    private static BusValue? Scalar(string type, string word)
    {
        switch (type)
        {
            case "b":
                return word is "true" or "false" ? BusValue.Of(word == "true") : null;
            case "s" or "o":
                return new(type, w => w.Text(word));
            case "g":
                return new(type, w => w.Signature(word));
            case "d":
                return double.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out var real) ? new("d", w => w.Number(real)) : null;
            case "y":
                return Whole<byte>(type, word);
            case "n":
                return Whole<short>(type, word);
            case "q":
                return Whole<ushort>(type, word);
            case "i":
                return Whole<int>(type, word);
            case "u":
                return Whole<uint>(type, word);
            case "x":
                return Whole<long>(type, word);
            case "t":
                return Whole<ulong>(type, word);
            default:
                return null;
        }
    }

    private static BusValue? Whole<T>(string type, string word) where T : unmanaged, System.Numerics.INumber<T>
    {
        var parsed = word.StartsWith("0x", StringComparison.Ordinal)
            ? T.TryParse(word.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var number)
            : T.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number);
        return parsed ? new(type, w => w.Number(number)) : null;
    }

    // D-Bus specification, "Summary of D-Bus marshalling".
    private static int Alignment(char type) => type switch
    {
        'y' or 'g' => 1,
        'n' or 'q' => 2,
        'x' or 't' or 'd' or '(' => 8,
        _ => 4,
    };
}
