// Parses templates: text, and actions between {{ and }}.

using System.Globalization;
using System.Text;
using Conman.CommandLine;
using static Conman.Formatting.GoTemplate;

namespace Conman.Formatting;

internal sealed class TemplateParser(string text)
{
    private int _at;
    private List<string> _tokens = [];
    private int _token;

    /// <summary>Nodes up to an {{end}} or {{else}} (which is left in <paramref name="end"/>), or to the end of the text.</summary>
    public List<Node> Block(out string end, string within)
    {
        var nodes = new List<Node>();
        for (; ; )
        {
            var open = text.IndexOf("{{", _at, StringComparison.Ordinal);
            var literal = open < 0 ? text[_at..] : text[_at..open];
            if (open >= 0 && text.AsSpan(open).StartsWith("{{- "))
                literal = literal.TrimEnd();
            if (literal.Length > 0)
                nodes.Add(new GoTemplate.Text(literal));
            if (open < 0)
            {
                if (within != "the end")
                    throw new UsageException($"template: unexpected end: {within} is not closed by {{{{end}}}}");
                end = "";
                return nodes;
            }
            var action = ReadAction(open);
            if (action.StartsWith("/*", StringComparison.Ordinal))
                continue;
            _tokens = Tokens(action);
            _token = 0;
            switch (Peek)
            {
                case "end" or "else":
                    if (within == "the end")
                        throw new UsageException($"template: unexpected {{{{{Peek}}}}}");
                    end = Next();
                    return nodes;
                case "if":
                    Next();
                    nodes.Add(Branch("if", Pipeline()));
                    break;
                case "with":
                    Next();
                    nodes.Add(Branch("with", Pipeline()));
                    break;
                case "range":
                    Next();
                    nodes.Add(RangeOver());
                    break;
                default:
                    nodes.Add(new GoTemplate.Action(Pipeline()));
                    break;
            }
        }
    }

    private string? Peek => _token < _tokens.Count ? _tokens[_token] : null;

    private string Next() => _token < _tokens.Count ? _tokens[_token++] : throw new UsageException("template: unexpected end of an action");

    // The inside of an action; white space around it is trimmed where it begins with "- " or ends with " -".
    private string ReadAction(int open)
    {
        var close = open + 2;
        for (var quote = '\0'; ; close++)
        {
            if (close + 1 >= text.Length)
                throw new UsageException("template: unclosed action");
            var c = text[close];
            if (quote != '\0')
            {
                if (c == '\\' && quote == '"')
                    close++;
                else if (c == quote)
                    quote = '\0';
            }
            else if (c is '"' or '`')
            {
                quote = c;
            }
            else if (c == '}' && text[close + 1] == '}')
            {
                break;
            }
        }
        var action = text[(open + 2)..close];
        _at = close + 2;
        if (action.EndsWith(" -", StringComparison.Ordinal))
        {
            action = action[..^2];
            while (_at < text.Length && char.IsWhiteSpace(text[_at]))
                _at++;
        }
        return (action.StartsWith("- ", StringComparison.Ordinal) ? action[2..] : action).Trim();
    }

    private Node Branch(string kind, Pipeline condition)
    {
        var then = Block(out var end, kind);
        var otherwise = new List<Node>();
        if (end == "else")
        {
            if (Peek == "if")
            {
                Next();
                otherwise.Add(Branch("if", Pipeline()));
            }
            else
            {
                otherwise = Block(out _, kind);
            }
        }
        return kind == "if" ? new If(condition, then, otherwise) : new With(condition, then, otherwise);
    }

    private GoTemplate.Range RangeOver()
    {
        string? key = null, element = null;
        if (_tokens.IndexOf(":=") is var assign and > 0)
        {
            element = Next();
            if (Peek == ",")
            {
                Next();
                (key, element) = (element, Next());
            }
            _token = assign + 1;
        }
        var pipeline = Pipeline();
        var body = Block(out var end, "range");
        return new GoTemplate.Range(pipeline, key, element, body, end == "else" ? Block(out _, "range") : []);
    }

    private Pipeline Pipeline()
    {
        string? variable = null;
        if (_token + 1 < _tokens.Count && _tokens[_token + 1] is ":=" or "=")
        {
            variable = Next();
            Next();
        }
        var commands = new List<List<Operand>> { new() };
        while (Peek is { } token && token != ")")
        {
            if (token == "|")
            {
                Next();
                commands.Add([]);
                continue;
            }
            commands[^1].Add(Read());
        }
        if (commands.Exists(c => c.Count == 0))
            throw new UsageException("template: missing value for command");
        return new Pipeline(commands, variable);
    }

    private Operand Read()
    {
        var token = Next();
        switch (token[0])
        {
            case '(':
                var pipeline = Pipeline();
                if (Peek != ")")
                    throw new UsageException("template: unclosed left paren");
                Next();
                return new Nested(token, pipeline, Peek is { } after && after.StartsWith('.') && after.Length > 1 ? Fields(Next()) : []);
            case '.':
                return new GoTemplate.Path(token, null, Fields(token));
            case '$':
                var dot = token.IndexOf('.');
                return new GoTemplate.Path(token, dot < 0 ? token : token[..dot], dot < 0 ? [] : Fields(token[dot..]));
            case '"':
                return new Literal(token, Unquote(token));
            case '`':
                return new Literal(token, token[1..^1]);
            case >= '0' and <= '9' or '-':
                return new Literal(token, long.TryParse(token, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) ? (object)whole
                    : double.TryParse(token, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number
                    : throw new UsageException($"template: bad number syntax: \"{token}\""));
        }
        return token switch
        {
            "true" => new Literal(token, true),
            "false" => new Literal(token, false),
            "nil" => new Literal(token, null),
            _ => TemplateFunctions.Known(token) ? new Function(token) : throw new UsageException($"template: function \"{token}\" not defined"),
        };
    }

    private static string[] Fields(string path) => path == "." ? [] : path[1..].Split('.');

    private static List<string> Tokens(string action)
    {
        var tokens = new List<string>();
        for (var i = 0; i < action.Length;)
        {
            var c = action[i];
            if (char.IsWhiteSpace(c))
            {
                i++;
                continue;
            }
            var start = i;
            if (c is '"' or '`')
            {
                for (i++; i < action.Length && action[i] != c; i++)
                {
                    if (action[i] == '\\' && c == '"')
                        i++;
                }
                i++;
            }
            else if (c == ':' && i + 1 < action.Length && action[i + 1] == '=')
            {
                i += 2;
            }
            else if (c is '|' or '(' or ')' or ',' or '=')
            {
                i++;
            }
            else
            {
                while (i < action.Length && !char.IsWhiteSpace(action[i]) && action[i] is not ('|' or '(' or ')' or ',' or '"' or '`'))
                    i++;
            }
            tokens.Add(action[start..Math.Min(i, action.Length)]);
        }
        return tokens;
    }

    private static string Unquote(string token)
    {
        var value = new StringBuilder();
        for (var i = 1; i < token.Length - 1; i++)
        {
            if (token[i] != '\\')
            {
                value.Append(token[i]);
                continue;
            }
            value.Append(token[++i] switch
            {
                'n' => '\n', 't' => '\t', 'r' => '\r', '\\' => '\\', '"' => '"', '\'' => '\'',
                var other => throw new UsageException($"template: unknown escape \\{other}"),
            });
        }
        return value.ToString();
    }
}
