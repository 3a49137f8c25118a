// Lists of things: a table for people, or what --format, --quiet and json ask for. Columns are as wide as their widest cell and three spaces.

using System.Text;
using System.Text.Json.Nodes;
using Conman.CommandLine;

namespace Conman.Formatting;

/// <summary>A column: its heading, and the field of the row that it shows.</summary>
internal readonly record struct Column(string Heading, string Field);

internal static class Table
{
    /// <summary>Writes rows as asked.</summary>
    /// <param name="format">--format: null, <c>table</c>, <c>json</c>, <c>table TEMPLATE</c> or a template.</param>
    /// <param name="quiet">Only this field of each row, or null.</param>
    /// <param name="columns">Those of the plain table.</param>
    /// <param name="headings">For <c>table TEMPLATE</c>: the heading of every field that a row has.</param>
    /// <param name="headless">Without the line of headings.</param>
    public static void Write(
        IReadOnlyList<JsonObject> rows, string? format, string? quiet, Column[] columns, IReadOnlyDictionary<string, string> headings, bool headless = false)
    {
        if (quiet is not null && format is null)
        {
            Lines(rows.Select(row => GoTemplate.Print(GoTemplate.Plain(row[quiet]))));
            return;
        }
        switch (format)
        {
            case null or "" or "table":
                Align([.. Heading([.. columns.Select(c => c.Heading)]), .. rows.Select(row => columns.Select(c => GoTemplate.Print(GoTemplate.Plain(row[c.Field]))).ToArray())]);
                return;
            case "json":
                Lines(rows.Select(Json.Compact));
                return;
        }
        if (format.StartsWith("table ", StringComparison.Ordinal))
        {
            var template = GoTemplate.Parse(Unescape(format[6..]));
            var heading = new JsonObject();
            foreach (var (field, text) in headings)
                heading[field] = text;
            Align([.. Heading(template.Execute(heading).Split('\t')), .. rows.Select(row => template.Execute(row).Split('\t'))]);
            return;
        }
        var plain = GoTemplate.Parse(Unescape(format));
        Lines(rows.Select(plain.Execute));

        string[][] Heading(string[] cells) => headless ? [] : [cells];
    }

    private static void Lines(IEnumerable<string> lines)
    {
        var text = new StringBuilder();
        foreach (var line in lines)
            text.Append(line).Append('\n');
        if (text.Length > 0)
            Output.Write(text.ToString());
    }

    private static void Align(List<string[]> rows)
    {
        if (rows.Count == 0)
            return;
        var text = new StringBuilder();
        var widths = new int[rows.Max(row => row.Length)];
        foreach (var row in rows)
        {
            for (var i = 0; i < row.Length; i++)
            {
                row[i] = OneLine(row[i]);
                widths[i] = Math.Max(widths[i], row[i].Length);
            }
        }
        foreach (var row in rows)
        {
            for (var i = 0; i < row.Length - 1; i++)
                text.Append(row[i].PadRight(widths[i] + 3));
            text.Append(row[^1]).Append('\n');
        }
        Output.Write(text.ToString());
    }

    // Names and texts are often strangers': they do nothing to a terminal.
    private static string OneLine(string cell) => cell.Any(char.IsControl) ? string.Concat(cell.Select(c => char.IsControl(c) ? '?' : c)) : cell;

    // What a shell passes as \t and \n is meant as such.
    private static string Unescape(string format) => format.Replace("\\t", "\t", StringComparison.Ordinal).Replace("\\n", "\n", StringComparison.Ordinal);
}
