// Reads one JSON document strictly: no comments, no trailing commas, no duplicates, no more depth than any document needs.
//
// It remembers where it is, so that an error can say "linux.namespaces[2].type"; the words are only put together when there is an error.

using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Conman.Oci;

/// <summary>What generated readers read with.</summary>
public ref struct OciReader
{
    private JsonTokens _json;
    private readonly ReadOnlySpan<byte> _document;
    private Trail _trail;
    private int _depth;

    /// <summary>A reader of a whole document.</summary>
    public OciReader(ReadOnlySpan<byte> document)
    {
        _document = document;
        _json = new JsonTokens(document);
    }

    /// <summary>Moves to the document's value.</summary>
    public void Begin() => _json.Read();

    /// <summary>Nothing may follow the value.</summary>
    public void End() => _json.Read();

    /// <summary>The value must be an object.</summary>
    public readonly void BeginObject() => Expect(JsonToken.StartObject, "an object");

    /// <summary>The value must be an array.</summary>
    public readonly void BeginArray() => Expect(JsonToken.StartArray, "an array");

    /// <summary>Moves to the name of the next member; false at the object's end.</summary>
    public bool NextMember()
    {
        _json.Read();
        if (_json.Token != JsonToken.Name)
            return false;
        if (_json.Escaped)
            Text(); // an escape may stand for half a character: refused here, so that names can be compared
        return true;
    }

    /// <summary>Whether the member that <see cref="NextMember"/> found has this name.</summary>
    public readonly bool IsMember(ReadOnlySpan<byte> name) => _json.Is(name);

    /// <summary>Moves to the value of a known member; false if it is null, which counts as absent.</summary>
    public bool BeginMember(string name, int number, ref ulong seen)
    {
        _trail[_depth++] = new Step(name, 0);
        if ((seen >> number & 1) != 0)
            throw Duplicate();
        seen |= 1ul << number;
        _json.Read();
        return _json.Token != JsonToken.Null;
    }

    /// <summary>Moves to the value of a map's member; its name.</summary>
    public string BeginKey()
    {
        var name = Text();
        _trail[_depth++] = new Step(name, 0);
        _json.Read();
        return name;
    }

    /// <summary>Done with a member.</summary>
    public void EndMember() => _depth--;

    /// <summary>Moves to the next element; false at the array's end.</summary>
    public bool NextElement(int index)
    {
        _json.Read();
        if (_json.Token == JsonToken.EndArray)
            return false;
        _trail[_depth++] = new Step(null, index);
        return true;
    }

    /// <summary>Done with an element.</summary>
    public void EndElement() => _depth--;

    /// <summary>Keeps a member that the type does not know.</summary>
    public void KeepUnknown(ref UnknownMembers? unknown)
    {
        var name = BeginKey();
        if (!(unknown ??= new UnknownMembers()).IsNew(name))
            throw Duplicate();
        var start = _json.Start;
        _json.Skip();
        unknown.Add(new UnknownMember(name, _document[start.._json.At].ToArray()));
    }

    /// <summary>A string.</summary>
    public string String()
    {
        Expect(JsonToken.String, "a string");
        return Text();
    }

    /// <summary>A boolean.</summary>
    public readonly bool Boolean()
    {
        if (_json.Token is not (JsonToken.True or JsonToken.False))
            throw Unexpected("true or false");
        return _json.Token == JsonToken.True;
    }

    /// <summary>A whole number.</summary>
    public readonly long Signed(long least, long most)
    {
        Expect(JsonToken.Number, "a number");
        return _json.TrySigned(out var value) && value >= least && value <= most ? value : throw OutOfRange(least.ToString(), most.ToString());
    }

    /// <summary>A whole number that is not negative.</summary>
    public readonly ulong Unsigned(ulong most)
    {
        Expect(JsonToken.Number, "a number");
        return _json.TryUnsigned(out var value) && value <= most ? value : throw OutOfRange("0", most.ToString());
    }

    /// <summary>The error for a member that is there twice.</summary>
    public readonly OciFormatException Duplicate() => Error("is given twice");

    /// <summary>The error for what is no JSON.</summary>
    public readonly OciFormatException Malformed(JsonSyntaxException e)
    {
        if (_document.Length == 0)
            return new OciFormatException("invalid JSON: the document is empty");
        if (_document.StartsWith("\ufeff"u8))
            return new OciFormatException("invalid JSON: the document begins with a byte order mark");
        var before = _document[..e.Position];
        var reason = e.TooDeep ? $"more than {JsonTokens.MostDepth} levels deep"
            : e.Position == _document.Length ? "the document ends too early"
            : $"unexpected {Character(_document[e.Position..])} in column {e.Position - before.LastIndexOf((byte)'\n')}";
        return new OciFormatException($"{(_depth > 0 ? Where() + ": " : "")}invalid JSON (line {1 + before.Count((byte)'\n')}): {reason}", e);
    }

    private static string Character(ReadOnlySpan<byte> text)
    {
        var known = Rune.DecodeFromUtf8(text, out var rune, out _) == System.Buffers.OperationStatus.Done;
        return known && OneLine(rune.ToString(), 2) is var shown and not "?" ? $"'{shown}'" : known ? $"U+{rune.Value:X4}" : $"byte 0x{text[0]:x2}";
    }

    private readonly string Text() => _json.TryText(out var text) ? text : throw Error("is not valid UTF-8 text");

    private readonly void Expect(JsonToken type, string what)
    {
        if (_json.Token != type)
            throw Unexpected(what);
    }

    private readonly OciFormatException Unexpected(string what) => Error($"expected {what}, found {_json.Token switch
    {
        JsonToken.StartObject => "an object",
        JsonToken.StartArray => "an array",
        JsonToken.String => "a string",
        JsonToken.Number => "a number",
        JsonToken.True => "true",
        JsonToken.False => "false",
        _ => "null",
    }}");

    private readonly OciFormatException OutOfRange(string least, string most) =>
        Error($"{OneLine(Encoding.UTF8.GetString(_json.Value[..Math.Min(_json.Value.Length, 80)]), 40)} is not a whole number from {least} to {most}");

    private readonly OciFormatException Error(string what) =>
        new($"{(_depth > 0 ? Where() : "document")}: {what} (line {1 + _document[.._json.Start].Count((byte)'\n')})");

    private readonly string Where()
    {
        var text = new StringBuilder();
        for (var i = 0; i < _depth; i++)
        {
            if (_trail[i].Name is { } name)
                text.Append(i == 0 ? "" : ".").Append(OneLine(name, 80));
            else
                text.Append('[').Append(_trail[i].Index).Append(']');
        }
        return text.ToString();
    }

    // What a document says, for a message: whatever it is, it must not be more than a part of a line, nor do anything to a terminal.
    private static string OneLine(string text, int most)
    {
        var line = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            if (line.Length >= most)
                return line.Append('…').ToString();
            var harmless = rune != Rune.ReplacementChar && Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format
                or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);
            line.Append(harmless ? rune.ToString() : "?");
        }
        return line.ToString();
    }

    // Names and indexes on the way to where the reader is; in the reader itself, so that nothing is allocated for it.
    [InlineArray(JsonTokens.MostDepth + 2)]
    private struct Trail
    {
        private Step _first;
    }

    private readonly record struct Step(string? Name, int Index);
}

/// <summary>A member that a type does not know: its name and its value as JSON.</summary>
public readonly record struct UnknownMember(string Name, byte[] Json);

/// <summary>Members that a type does not know, in their order.</summary>
public sealed class UnknownMembers : List<UnknownMember>
{
    private const int Few = 16;

    // A few names are compared one by one; a document of nothing but names must not take the square of its length.
    private HashSet<string>? _names;

    /// <summary>Whether no member of this name is there; true only once for a name that is then added.</summary>
    internal bool IsNew(string name)
    {
        if (Count < Few)
            return !Exists(m => m.Name == name);
        if (_names is null)
        {
            _names = new HashSet<string>(StringComparer.Ordinal);
            foreach (var member in this)
                _names.Add(member.Name);
        }
        return _names.Add(name);
    }

    /// <summary>Writes them where generated writers end an object.</summary>
    public static void WriteAll(OciWriter writer, UnknownMembers? members)
    {
        if (members is null)
            return;
        foreach (var member in members)
        {
            writer.WritePropertyName(member.Name);
            writer.WriteRawValue(member.Json);
        }
    }
}
