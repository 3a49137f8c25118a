// WWW-Authenticate: what a registry wants to see before it answers (RFC 9110, 11.3).

namespace Conman.Images.Registry;

/// <summary>A challenge: its scheme in lower case, and its parameters.</summary>
internal sealed record Challenge(string Scheme, IReadOnlyDictionary<string, string> Parameters)
{
    public string? this[string name] => Parameters.GetValueOrDefault(name);

    /// <summary>The challenges of header values; what cannot be read ends a value.</summary>
    public static List<Challenge> Parse(IEnumerable<string> values)
    {
        var challenges = new List<Challenge>();
        foreach (var value in values)
        {
            var text = value.AsSpan();
            Dictionary<string, string>? parameters = null;
            while (true)
            {
                text = text.TrimStart(" \t,");
                var word = Token(ref text);
                if (word.Length == 0)
                    break;
                if (text.StartsWith("=") && parameters is not null)
                {
                    text = text[1..];
                    if (!Value(ref text, out var parameter))
                        break;
                    parameters.TryAdd(word.ToLowerInvariant(), parameter);
                }
                else
                {
                    challenges.Add(new Challenge(word.ToLowerInvariant(), parameters = new Dictionary<string, string>(StringComparer.Ordinal)));
                }
            }
        }
        return challenges;
    }

    private static string Token(ref ReadOnlySpan<char> text)
    {
        var end = text.IndexOfAny(" \t,=\"");
        var token = (end < 0 ? text : text[..end]).ToString();
        text = text[token.Length..];
        return token;
    }

    private static bool Value(ref ReadOnlySpan<char> text, out string value)
    {
        if (!text.StartsWith("\""))
        {
            var end = text.IndexOfAny(" \t,");
            value = (end < 0 ? text : text[..end]).ToString();
            text = text[value.Length..];
            return true;
        }
        var characters = new System.Text.StringBuilder();
        for (var i = 1; i < text.Length; i++)
        {
            if (text[i] == '"')
            {
                value = characters.ToString();
                text = text[(i + 1)..];
                return true;
            }
            if (text[i] == '\\' && i + 1 < text.Length)
                i++;
            characters.Append(text[i]);
        }
        value = "";
        return false;
    }
}
