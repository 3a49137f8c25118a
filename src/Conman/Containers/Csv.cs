// One line of comma-separated fields, of which some may be quoted (RFC 4180): how --mount, --network and --secret say many things at once.

using System.Text;
using Conman.CommandLine;

namespace Conman;

internal static class Csv
{
    /// <summary>The fields as names and values; a field without <c>=</c> has no value. Names are in lower case.</summary>
    /// <param name="flag">For the error.</param>
    public static List<(string Name, string? Value)> Pairs(string flag, string text)
    {
        var pairs = new List<(string, string?)>();
        foreach (var field in Fields(flag, text))
        {
            var equals = field.IndexOf('=');
            pairs.Add(equals < 0 ? (field.Trim().ToLowerInvariant(), null) : (field[..equals].Trim().ToLowerInvariant(), field[(equals + 1)..]));
        }
        return pairs;
    }

    private static List<string> Fields(string flag, string text)
    {
        var fields = new List<string>();
        var field = new StringBuilder();
        var quoted = false;
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c == '"' && quoted && i + 1 < text.Length && text[i + 1] == '"')
                field.Append(text[++i]);
            else if (c == '"' && (quoted || field.Length == 0))
                quoted = !quoted;
            else if (c == ',' && !quoted)
                End();
            else
                field.Append(c);
        }
        if (quoted)
            throw new UsageException($"--{flag} {text}: a quotation mark that is not closed");
        End();
        return fields;

        void End()
        {
            fields.Add(field.ToString());
            field.Clear();
        }
    }
}
