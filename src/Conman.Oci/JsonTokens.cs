// The tokens of one JSON document (RFC 8259): strict, by the byte, nothing allocated.
//
// Not Utf8JsonReader: before its first token it builds search tables, which costs more than a whole config.json (docs/performance.md).

using System.Buffers.Text;
using System.Text;
using System.Text.Unicode;

namespace Conman.Oci;

internal enum JsonToken : byte
{
    None,
    StartObject,
    EndObject,
    StartArray,
    EndArray,
    Name,
    String,
    Number,
    True,
    False,
    Null,
}

/// <summary>The document is no JSON, or deeper than is read.</summary>
/// <param name="position">The byte at which it stops being so.</param>
/// <param name="tooDeep">One level more than is read begins there.</param>
public sealed class JsonSyntaxException(int position, bool tooDeep) : Exception
{
    /// <summary>The byte at which it stops being so.</summary>
    public int Position { get; } = position;

    /// <summary>One level more than is read begins there.</summary>
    public bool TooDeep { get; } = tooDeep;
}

/// <summary>Moves from token to token.</summary>
internal ref struct JsonTokens(ReadOnlySpan<byte> document)
{
    /// <summary>Objects and arrays within each other; a bit of <see cref="_objects"/> is one level.</summary>
    public const int MostDepth = 64;

    private enum Expected : byte
    {
        Value,
        ValueOrEnd,
        Name,
        NameOrEnd,
        CommaOrEnd,
        Nothing,
    }

    private readonly ReadOnlySpan<byte> _text = document;
    private Expected _expected;
    private ulong _objects; // which of the levels that are open are objects
    private int _depth, _end;
    private bool _escaped;

    /// <summary>What the last <see cref="Read"/> found; None at the document's end.</summary>
    public JsonToken Token { get; private set; }

    /// <summary>Where the token begins: a text with its quotation mark.</summary>
    public int Start { get; private set; }

    /// <summary>Where the next token is looked for.</summary>
    public int At { get; private set; }

    /// <summary>The token as it stands; a text without its quotation marks.</summary>
    public readonly ReadOnlySpan<byte> Value => Token is JsonToken.Name or JsonToken.String ? _text[(Start + 1)..(_end - 1)] : _text[Start.._end];

    /// <summary>Moves to the next token.</summary>
    /// <exception cref="JsonSyntaxException"/>
    public void Read()
    {
        var c = NextByte();
        if (_expected == Expected.CommaOrEnd && c == ',')
        {
            At++;
            c = NextByte();
            _expected = InObject ? Expected.Name : Expected.Value;
        }
        Start = At;
        switch (_expected)
        {
            case Expected.Nothing when c < 0:
                Token = JsonToken.None;
                break;
            case Expected.CommaOrEnd or Expected.NameOrEnd when c == '}' && InObject:
                Close(JsonToken.EndObject);
                break;
            case Expected.CommaOrEnd or Expected.ValueOrEnd when c == ']' && !InObject:
                Close(JsonToken.EndArray);
                break;
            case Expected.Name or Expected.NameOrEnd when c == '"':
                ReadText(JsonToken.Name);
                if (NextByte() != ':')
                    throw Syntax(At);
                At++;
                _expected = Expected.Value;
                break;
            case Expected.Value or Expected.ValueOrEnd:
                ReadValue(c);
                break;
            default:
                throw Syntax(At);
        }
    }

    /// <summary>Moves to the end of the object or array that the reader stands at; elsewhere nothing happens.</summary>
    public void Skip()
    {
        if (Token is not (JsonToken.StartObject or JsonToken.StartArray))
            return;
        for (var outside = _depth - 1; _depth > outside;)
            Read();
    }

    /// <summary>Whether a text is this one.</summary>
    public readonly bool Is(ReadOnlySpan<byte> text) => _escaped ? TryText(out var own) && Encoding.UTF8.GetBytes(own).AsSpan().SequenceEqual(text) : Value.SequenceEqual(text);

    /// <summary>Whether there is an escape in a text.</summary>
    public readonly bool Escaped => _escaped;

    /// <summary>A text without its escapes; false if it is no UTF-8, or an escape is half a character.</summary>
    public readonly bool TryText(out string text)
    {
        var value = Value;
        if (_escaped)
            value = Unescape(value);
        var valid = Utf8.IsValid(value);
        text = valid ? Encoding.UTF8.GetString(value) : "";
        return valid;
    }

    /// <summary>A number, if it is a whole one that fits.</summary>
    public readonly bool TrySigned(out long number) => Utf8Parser.TryParse(Value, out number, out var used) && used == Value.Length;

    /// <summary>As <see cref="TrySigned"/>.</summary>
    public readonly bool TryUnsigned(out ulong number) => Utf8Parser.TryParse(Value, out number, out var used) && used == Value.Length;

    private readonly bool InObject => _depth > 0 && (_objects >> (_depth - 1) & 1) != 0;

    private static JsonSyntaxException Syntax(int position) => new(position, tooDeep: false);

    // The next byte that is no white space, without taking it; -1 at the end.
    private int NextByte()
    {
        while (At < _text.Length && _text[At] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t')
            At++;
        return At < _text.Length ? _text[At] : -1;
    }

    private void ReadValue(int c)
    {
        switch (c)
        {
            case '{': Open(JsonToken.StartObject); break;
            case '[': Open(JsonToken.StartArray); break;
            case '"': ReadText(JsonToken.String); Complete(); break;
            case 't': ReadWord("true"u8, JsonToken.True); break;
            case 'f': ReadWord("false"u8, JsonToken.False); break;
            case 'n': ReadWord("null"u8, JsonToken.Null); break;
            case '-' or (>= '0' and <= '9'): ReadNumber(); break;
            default: throw Syntax(At);
        }
    }

    private void Open(JsonToken token)
    {
        if (_depth == MostDepth)
            throw new JsonSyntaxException(At, tooDeep: true);
        var bit = 1ul << _depth++;
        _objects = token == JsonToken.StartObject ? _objects | bit : _objects & ~bit;
        _expected = token == JsonToken.StartObject ? Expected.NameOrEnd : Expected.ValueOrEnd;
        Take(1, token);
    }

    private void Close(JsonToken token)
    {
        _depth--;
        Take(1, token);
        Complete();
    }

    private void Take(int length, JsonToken token) => (At, _end, Token) = (At + length, At + length, token);

    private void Complete() => _expected = _depth == 0 ? Expected.Nothing : Expected.CommaOrEnd;

    private void ReadWord(ReadOnlySpan<byte> word, JsonToken token)
    {
        for (var i = 0; i < word.Length; i++)
        {
            if (At + i == _text.Length || _text[At + i] != word[i])
                throw Syntax(At + i);
        }
        Take(word.Length, token);
        Complete();
    }

    private void ReadNumber()
    {
        var i = At;
        if (_text[i] == '-')
            i++;
        if (i < _text.Length && _text[i] == '0')
            i++;
        else
            i = Digits(i);
        if (i < _text.Length && _text[i] == '.')
            i = Digits(i + 1);
        if (i < _text.Length && _text[i] is (byte)'e' or (byte)'E')
        {
            i++;
            if (i < _text.Length && _text[i] is (byte)'+' or (byte)'-')
                i++;
            i = Digits(i);
        }
        if (i < _text.Length && _text[i] is not ((byte)',' or (byte)']' or (byte)'}' or (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t'))
            throw Syntax(i);
        Take(i - At, JsonToken.Number);
        Complete();
    }

    // One digit at least.
    private readonly int Digits(int i)
    {
        var begin = i;
        while (i < _text.Length && _text[i] is >= (byte)'0' and <= (byte)'9')
            i++;
        return i > begin ? i : throw Syntax(i);
    }

    private void ReadText(JsonToken token)
    {
        _escaped = false;
        var i = At + 1;
        for (; ; i++)
        {
            if (i >= _text.Length || _text[i] < 0x20)
                throw Syntax(Math.Min(i, _text.Length));
            if (_text[i] == '"')
                break;
            if (_text[i] == '\\')
            {
                _escaped = true;
                i = Escape(i + 1);
            }
        }
        Take(i + 1 - At, token);
    }

    // The last byte of an escape whose first byte after the solidus is at i.
    private readonly int Escape(int i)
    {
        if (i < _text.Length && "\"\\/bfnrt"u8.Contains(_text[i]))
            return i;
        if (i >= _text.Length || _text[i] != 'u')
            throw Syntax(Math.Min(i, _text.Length));
        for (var n = 1; n <= 4; n++)
        {
            if (i + n >= _text.Length || !char.IsAsciiHexDigit((char)_text[i + n]))
                throw Syntax(Math.Min(i + n, _text.Length));
        }
        return i + 4;
    }

    // Half a character becomes bytes that are no UTF-8: whoever asks for the text is told so.
    private static byte[] Unescape(ReadOnlySpan<byte> value)
    {
        var bytes = new byte[value.Length];
        var used = 0;
        for (var i = 0; i < value.Length; i++)
        {
            if (value[i] != '\\')
            {
                bytes[used++] = value[i];
                continue;
            }
            var c = value[++i];
            if (c != 'u')
            {
                bytes[used++] = c switch { (byte)'b' => 8, (byte)'f' => 12, (byte)'n' => 10, (byte)'r' => 13, (byte)'t' => 9, _ => c };
                continue;
            }
            int unit = Unit(value[(i + 1)..]);
            i += 4;
            if (char.IsHighSurrogate((char)unit) && value[(i + 1)..].StartsWith("\\u"u8) && Unit(value[(i + 3)..]) is var low && char.IsLowSurrogate((char)low))
            {
                unit = char.ConvertToUtf32((char)unit, (char)low);
                i += 6;
            }
            if (!Rune.TryCreate(unit, out var rune))
                bytes[used++] = 0xff;
            else
                used += rune.EncodeToUtf8(bytes.AsSpan(used));
        }
        return bytes[..used];
    }

    private static int Unit(ReadOnlySpan<byte> hex) => Utf8Parser.TryParse(hex[..4], out int unit, out _, 'x') ? unit : 0;
}
