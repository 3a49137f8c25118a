// As much of TOML (toml.io, 1.0) as configurations of registries are written in: tables, lists of tables, texts, booleans, whole numbers, lists.
//
// What it does not read (dates, fractions, texts of several lines) it refuses, with the line; it never guesses.

using System.Globalization;
using System.Text;

namespace Conman.Images.Configuration;

/// <summary>A table: values are string, bool, long, List of these, or a table.</summary>
internal sealed class TomlTable : Dictionary<string, object>
{
    public TomlTable() : base(StringComparer.Ordinal)
    {
    }

    public string? Text(string name) => TryGetValue(name, out var value) ? value as string ?? throw new FormatException($"{name} must be a text") : null;

    public bool Flag(string name) => TryGetValue(name, out var value) && (value as bool? ?? throw new FormatException($"{name} must be true or false"));

    /// <summary>The tables of a list; none if it is not there.</summary>
    public IEnumerable<TomlTable> Tables(string name) =>
        !TryGetValue(name, out var value) ? [] : value is List<object> list && list.TrueForAll(e => e is TomlTable) ? list.Cast<TomlTable>() : throw new FormatException($"{name} must be a list of tables");
}

internal ref struct Toml
{
    private const int MostDepth = 16;

    private readonly string _text;
    private int _at, _depth;

    private Toml(string text) => _text = text;

    /// <exception cref="FormatException">It is none, or more than is read; the message has the line.</exception>
    public static TomlTable Parse(string text)
    {
        var toml = new Toml(text);
        try
        {
            return toml.Document();
        }
        catch (FormatException e)
        {
            throw new FormatException($"line {1 + text.AsSpan(0, Math.Min(toml._at, text.Length)).Count('\n')}: {e.Message}", e);
        }
    }

    private TomlTable Document()
    {
        var root = new TomlTable();
        var table = root;
        while (true)
        {
            SkipLines();
            if (_at == _text.Length)
                return root;
            if (Peek() == '[')
            {
                _at++;
                var list = Skip('[');
                var path = Key();
                if (!Skip(']') || (list && !Skip(']')))
                    throw new FormatException("a heading without its end");
                table = list ? Append(root, path) : Open(root, path);
            }
            else
            {
                Assign(table);
            }
            EndLine();
        }
    }

    private void Assign(TomlTable table)
    {
        var path = Key();
        Blanks();
        if (!Skip('='))
            throw new FormatException("a name without a value");
        Blanks();
        foreach (var part in path[..^1])
            table = Child(table, part);
        if (!table.TryAdd(path[^1], Value()))
            throw new FormatException($"{path[^1]} is given twice");
    }

    private static TomlTable Open(TomlTable table, List<string> path)
    {
        foreach (var part in path)
            table = Child(table, part);
        return table;
    }

    private static TomlTable Append(TomlTable table, List<string> path)
    {
        foreach (var part in path[..^1])
            table = Child(table, part);
        if (!table.TryGetValue(path[^1], out var list))
            table[path[^1]] = list = new List<object>();
        if (list is not List<object> tables)
            throw new FormatException($"{path[^1]} is no list");
        var added = new TomlTable();
        tables.Add(added);
        return added;
    }

    // A table by its name; of a list of tables, the last.
    private static TomlTable Child(TomlTable table, string name)
    {
        if (!table.TryGetValue(name, out var value))
            table[name] = value = new TomlTable();
        return value as TomlTable ?? (value is List<object> { Count: > 0 } list ? list[^1] as TomlTable : null) ?? throw new FormatException($"{name} is no table");
    }

    private List<string> Key()
    {
        var path = new List<string>();
        do
        {
            Blanks();
            if (Peek() is '"' or '\'')
            {
                path.Add(String());
            }
            else
            {
                var start = _at;
                while (Peek() is var c && (char.IsAsciiLetterOrDigit(c) || c is '_' or '-'))
                    _at++;
                if (_at == start)
                    throw new FormatException("a name is expected");
                path.Add(_text[start.._at]);
            }
            Blanks();
        }
        while (Skip('.'));
        return path;
    }

    private object Value()
    {
        if (++_depth > MostDepth)
            throw new FormatException("too deep");
        object value = Peek() switch
        {
            '"' or '\'' => String(),
            '[' => List(),
            '{' => Inline(),
            _ => Word(),
        };
        _depth--;
        return value;
    }

    private object Word()
    {
        var start = _at;
        while (Peek() is var c && (char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '+' or '.' or ':'))
            _at++;
        var word = _text[start.._at];
        return word switch
        {
            "true" => true,
            "false" => false,
            _ => long.TryParse(word.Replace("_", "", StringComparison.Ordinal), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
                ? number : throw new FormatException($"\"{word}\" is no value"),
        };
    }

    private List<object> List()
    {
        var list = new List<object>();
        _at++;
        while (true)
        {
            SkipLines();
            if (Skip(']'))
                return list;
            list.Add(Value());
            SkipLines();
            if (!Skip(',') && Peek() != ']')
                throw new FormatException("a list without its end");
        }
    }

    private TomlTable Inline()
    {
        var table = new TomlTable();
        _at++;
        Blanks();
        if (Skip('}'))
            return table;
        while (true)
        {
            Assign(table);
            Blanks();
            if (Skip('}'))
                return table;
            if (!Skip(','))
                throw new FormatException("a table without its end");
        }
    }

    private string String()
    {
        var quote = _text[_at++];
        if (Peek() == quote && _at + 1 < _text.Length && _text[_at + 1] == quote)
            throw new FormatException("texts of several lines are not read here");
        var text = new StringBuilder();
        while (true)
        {
            var c = Peek();
            if (c is '\0' or '\n' or '\r')
                throw new FormatException("a text without its end");
            _at++;
            if (c == quote)
                return text.ToString();
            text.Append(c == '\\' && quote == '"' ? Escape() : c.ToString());
        }
    }

    private string Escape()
    {
        var c = Peek();
        _at++;
        var digits = c switch { 'u' => 4, 'U' => 8, _ => 0 };
        if (digits > 0)
        {
            if (_at + digits > _text.Length || !int.TryParse(_text.AsSpan(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value) || !Rune.IsValid(value))
                throw new FormatException("an escape that is no character");
            _at += digits;
            return new Rune(value).ToString();
        }
        return c switch
        {
            'b' => "\b", 't' => "\t", 'n' => "\n", 'f' => "\f", 'r' => "\r", '"' => "\"", '\\' => "\\",
            _ => throw new FormatException($"the escape \\{c} is unknown"),
        };
    }

    private void SkipLines()
    {
        while (true)
        {
            while (Peek() is ' ' or '\t' or '\n' or '\r')
                _at++;
            if (Peek() != '#')
                return;
            SkipComment();
        }
    }

    private void EndLine()
    {
        Blanks();
        if (Peek() == '#')
            SkipComment();
        if (Peek() is not ('\0' or '\n' or '\r'))
            throw new FormatException("something after the value");
    }

    private void SkipComment()
    {
        while (Peek() is not ('\0' or '\n'))
            _at++;
    }

    private void Blanks()
    {
        while (Peek() is ' ' or '\t')
            _at++;
    }

    private bool Skip(char c)
    {
        if (Peek() != c)
            return false;
        _at++;
        return true;
    }

    private readonly char Peek() => _at < _text.Length ? _text[_at] : '\0';
}
