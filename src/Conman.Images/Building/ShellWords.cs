// Words as Dockerfiles write them (docs.docker.com/reference/dockerfile): quotes, backslashes, and variables of the image's environment.

using System.Text;

namespace Conman.Images.Building;

internal static class ShellWords
{
    /// <summary>Splits at spaces outside quotes; quotes and backslashes stay, for <see cref="Expand"/>.</summary>
    public static List<string> Split(string text)
    {
        var words = new List<string>();
        var word = new StringBuilder();
        var quote = '\0';
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (quote == '\0' && c is ' ' or '\t')
            {
                if (word.Length > 0)
                    words.Add(word.ToString());
                word.Clear();
                continue;
            }
            word.Append(c);
            if (c == '\\' && quote != '\'' && i + 1 < text.Length)
                word.Append(text[++i]);
            else if (c == quote)
                quote = '\0';
            else if (quote == '\0' && c is '\'' or '"')
                quote = c;
        }
        if (quote != '\0')
            throw new ImageException($"{text}: the closing {quote} is missing");
        if (word.Length > 0)
            words.Add(word.ToString());
        return words;
    }

    /// <summary>Takes quotes and backslashes away, and puts in variables: $NAME, ${NAME}, ${NAME:-otherwise}, ${NAME:+instead}.</summary>
    public static string Expand(string word, Func<string, string?> variable)
    {
        var result = new StringBuilder();
        var quote = '\0';
        for (var i = 0; i < word.Length; i++)
        {
            var c = word[i];
            if (c == quote)
                quote = '\0';
            else if (quote == '\0' && c is '\'' or '"')
                quote = c;
            else if (c == '\\' && quote != '\'' && i + 1 < word.Length && (quote == '\0' || word[i + 1] is '"' or '$' or '\\'))
                result.Append(word[++i]);
            else if (c == '$' && quote != '\'')
                result.Append(Variable(word, ref i, variable));
            else
                result.Append(c);
        }
        return result.ToString();
    }

    // At the dollar; stops at the last letter that belongs to it.
    private static string Variable(string word, ref int i, Func<string, string?> variable)
    {
        var braced = i + 1 < word.Length && word[i + 1] == '{';
        var start = i + (braced ? 2 : 1);
        var end = start;
        while (end < word.Length && (char.IsAsciiLetterOrDigit(word[end]) || word[end] == '_'))
            end++;
        var name = word[start..end];
        if (!braced)
        {
            i = end - 1;
            return name.Length == 0 ? "$" : variable(name) ?? "";
        }
        var close = word.IndexOf('}', end);
        var modifier = close < 0 ? "" : word[end..close];
        if (close < 0 || name.Length == 0 || (modifier.Length > 0 && !modifier.StartsWith(":-", StringComparison.Ordinal) && !modifier.StartsWith(":+", StringComparison.Ordinal)))
            throw new ImageException($"{word}: ${{NAME}}, ${{NAME:-otherwise}} or ${{NAME:+instead}} is expected");
        i = close;
        var value = variable(name) is { Length: > 0 } set ? set : null;
        return modifier.Length == 0 ? value ?? "" : (modifier[1] == '-') == (value is null) ? Expand(modifier[2..], variable) : value ?? "";
    }
}
