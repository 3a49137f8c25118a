// The functions of templates: Go's own, and those that Docker adds.

using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Conman.CommandLine;
using static Conman.Formatting.GoTemplate;

namespace Conman.Formatting;

internal static class TemplateFunctions
{
    public static bool Known(string name) => name is "json" or "join" or "split" or "upper" or "lower" or "title" or "println" or "print" or "printf" or "len" or "index"
        or "eq" or "ne" or "lt" or "le" or "gt" or "ge" or "and" or "or" or "not" or "truncate" or "pad" or "table" or "slice";

    public static object? Call(string name, List<object?> a)
    {
        switch (name)
        {
            case "json":
                return Json.Compact(ToNode(One(name, a)));
            case "upper":
                return Print(One(name, a)).ToUpperInvariant();
            case "lower":
                return Print(One(name, a)).ToLowerInvariant();
            case "title":
                return CultureInfo.InvariantCulture.TextInfo.ToTitleCase(Print(One(name, a)));
            case "print":
                return string.Concat(a.Select(Print));
            case "println":
                return string.Join(' ', a.Select(Print)) + "\n";
            case "printf":
                return Printf(a);
            case "not":
                return !Truth(One(name, a));
            case "and":
                return a.Find(v => !Truth(v)) is var no && a.Exists(v => !Truth(v)) ? no : a[^1];
            case "or":
                return a.Exists(Truth) ? a.Find(Truth) : a[^1];
            case "len":
                return One(name, a) switch
                {
                    string text => (long)Encoding.UTF8.GetByteCount(text),
                    JsonArray list => (long)list.Count,
                    JsonObject map => (long)map.Count,
                    var other => throw new UsageException($"template: len of {Print(other)}"),
                };
            case "index":
                return a.Skip(1).Aggregate(a.Count > 0 ? a[0] : null, Index);
            case "slice":
                return Slice(a);
        }
        if (name is "eq" or "ne" or "lt" or "le" or "gt" or "ge")
            return Compare(name, a);
        if (a.Count != 2 && name is not "pad")
            throw new UsageException($"template: wrong number of args for {name}: want 2 got {a.Count}");
        return name switch
        {
            "join" => a[0] is JsonArray list ? string.Join(Print(a[1]), list.Select(item => Print(Plain(item)))) : throw new UsageException($"template: join of {Print(a[0])}, which is no list"),
            "split" => new JsonArray([.. Print(a[0]).Split(Print(a[1])).Select(part => (JsonNode?)part)]),
            "truncate" => a[1] is long most && Print(a[0]) is var text ? text[..(int)Math.Min(text.Length, most)] : throw new UsageException("template: truncate needs a number"),
            "pad" when a is [{ } padded, long before, long after] && Print(padded) is { Length: > 0 } inner => new string(' ', (int)before) + inner + new string(' ', (int)after),
            "pad" when a.Count == 3 => "",
            _ => throw new UsageException($"template: wrong arguments for {name}"),
        };
    }

    private static object? One(string name, List<object?> a) => a.Count == 1 ? a[0] : throw new UsageException($"template: wrong number of args for {name}: want 1 got {a.Count}");

    private static object? Index(object? from, object? by) => (from, by) switch
    {
        (JsonArray list, long i) when i >= 0 && i < list.Count => Plain(list[(int)i]),
        (JsonArray, _) => throw new UsageException($"template: error calling index: index out of range: {Print(by)}"),
        (JsonObject map, string key) => map.TryGetPropertyValue(key, out var value) ? Plain(value) : "",
        (string text, long i) when i >= 0 && i < text.Length => (long)text[(int)i],
        _ => throw new UsageException($"template: error calling index: can't index item of {Print(from)}"),
    };

    private static object Slice(List<object?> a)
    {
        var (from, to) = (a.Count > 1 && a[1] is long first ? (int)first : 0, a.Count > 2 && a[2] is long last ? (int)last : int.MaxValue);
        if (a.Count == 0 || from < 0 || to < from)
            throw new UsageException("template: wrong arguments for slice");
        return a[0] switch
        {
            string text => text[Math.Min(from, text.Length)..Math.Min(to, text.Length)],
            JsonArray list => new JsonArray([.. list.Skip(from).Take(to - from).Select(item => item?.DeepClone())]),
            _ => throw new UsageException($"template: slice of {Print(a[0])}"),
        };
    }

    private static bool Compare(string name, List<object?> a)
    {
        if (a.Count < 2)
            throw new UsageException($"template: missing argument for {name}");
        if (name == "eq")
            return a.Skip(1).Any(other => Order(a[0], other) == 0);
        var order = Order(a[0], a[1]);
        return name switch { "ne" => order != 0, "lt" => order < 0, "le" => order <= 0, "gt" => order > 0, _ => order >= 0 };
    }

    private static int Order(object? a, object? b) => (a, b) switch
    {
        (long x, long y) => x.CompareTo(y),
        (long or double, long or double) => Convert.ToDouble(a, CultureInfo.InvariantCulture).CompareTo(Convert.ToDouble(b, CultureInfo.InvariantCulture)),
        (null, null) => 0,
        (string or null, string or null) or (bool, bool) => string.CompareOrdinal(a is null ? null : Print(a), b is null ? null : Print(b)),
        _ => throw new UsageException("template: incompatible types for comparison"),
    };

    // %s %v %d %q %t %f %x %%, with width, - and 0.
    private static string Printf(List<object?> a)
    {
        var format = a.Count > 0 ? Print(a[0]) : "";
        var text = new StringBuilder();
        var next = 1;
        for (var i = 0; i < format.Length; i++)
        {
            if (format[i] != '%')
            {
                text.Append(format[i]);
                continue;
            }
            var start = ++i;
            while (i < format.Length && format[i] is '-' or '0' or (>= '1' and <= '9') or '.' or '+')
                i++;
            if (i == format.Length)
                return text.Append("%!(NOVERB)").ToString();
            if (format[i] == '%')
            {
                text.Append('%');
                continue;
            }
            if (next >= a.Count)
            {
                text.Append($"%!{format[i]}(MISSING)");
                continue;
            }
            var value = a[next++];
            var flags = format[start..i];
            var left = flags.StartsWith('-');
            var zero = flags.StartsWith('0');
            var parts = flags.TrimStart('-', '0', '+').Split('.');
            _ = int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var width);
            var precision = parts.Length > 1 && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var p) ? p : -1;
            var shown = format[i] switch
            {
                'q' => GoText.Quoted(Print(value)),
                'x' when value is long number => number.ToString("x", CultureInfo.InvariantCulture),
                'x' => Convert.ToHexStringLower(Encoding.UTF8.GetBytes(Print(value))),
                'f' => Convert.ToDouble(value, CultureInfo.InvariantCulture).ToString("F" + (precision < 0 ? 6 : precision), CultureInfo.InvariantCulture),
                's' when precision >= 0 => Print(value)[..Math.Min(precision, Print(value).Length)],
                _ => Print(value),
            };
            text.Append(left ? shown.PadRight(width) : shown.PadLeft(width, zero ? '0' : ' '));
        }
        return text.ToString();
    }

    private static JsonNode? ToNode(object? value) => value switch
    {
        null => null,
        JsonNode node => node,
        string text => text,
        bool truth => truth,
        long number => number,
        double number => number,
        _ => Print(value),
    };
}
