// Writes one JSON document: what generated writers write with.
//
// Not Utf8JsonWriter: its first use builds tables of every character, which costs as much as a small container.

using System.Buffers.Text;
using System.Text;

namespace Conman.Oci;

/// <summary>Grows a document; the caller sees to it that starts and ends match.</summary>
/// <param name="indent">What each level is indented by; null: everything on one line.</param>
public sealed class OciWriter(string? indent = null)
{
    private byte[] _bytes = new byte[512];
    private int _used;
    private int _depth;
    private bool _first = true, _afterName;

    /// <summary>Docker's objects are written with all their members, as Docker shows them.</summary>
    public bool Whole { get; init; }

    /// <summary>The document so far.</summary>
    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, _used);

    /// <summary>Collects what a document writes.</summary>
    public static byte[] Write(Action<OciWriter> write, bool indented)
    {
        var writer = new OciWriter(indented ? "\t" : null);
        write(writer);
        return writer.Written.ToArray();
    }

    /// <summary>A text as JSON, with its quotes.</summary>
    public static string Quote(string text)
    {
        var writer = new OciWriter();
        writer.WriteStringValue(text);
        return Encoding.UTF8.GetString(writer.Written);
    }

    public void WriteStartObject() => Start('{');

    public void WriteEndObject() => End('}');

    public void WriteStartArray() => Start('[');

    public void WriteEndArray() => End(']');

    public void WritePropertyName(ReadOnlySpan<byte> name)
    {
        Separate();
        Text(name);
        NameWritten();
    }

    public void WritePropertyName(string name)
    {
        Separate();
        Text(name);
        NameWritten();
    }

    public void WriteString(ReadOnlySpan<byte> name, string value)
    {
        WritePropertyName(name);
        WriteStringValue(value);
    }

    public void WriteNumber(ReadOnlySpan<byte> name, long value)
    {
        WritePropertyName(name);
        WriteNumberValue(value);
    }

    public void WriteBoolean(ReadOnlySpan<byte> name, bool value)
    {
        WritePropertyName(name);
        WriteBooleanValue(value);
    }

    public void WriteStringValue(string value)
    {
        Separate();
        Text(value);
    }

    public void WriteBooleanValue(bool value)
    {
        Separate();
        Append(value ? "true"u8 : "false"u8);
    }

    public void WriteNullValue()
    {
        Separate();
        Append("null"u8);
    }

    public void WriteNumberValue(long value)
    {
        Separate();
        Utf8Formatter.TryFormat(value, Room(20), out var n);
        _used += n;
    }

    public void WriteNumberValue(ulong value)
    {
        Separate();
        Utf8Formatter.TryFormat(value, Room(20), out var n);
        _used += n;
    }

    /// <summary>A value that is JSON already.</summary>
    public void WriteRawValue(ReadOnlySpan<byte> json)
    {
        Separate();
        Append(json);
    }

    private void Start(char bracket)
    {
        Separate();
        Append((byte)bracket);
        _depth++;
        _first = true;
    }

    private void End(char bracket)
    {
        _depth--;
        if (!_first)
            NewLine();
        Append((byte)bracket);
        _first = false;
    }

    // A comma and a new line between values; nothing between a name and its value.
    private void Separate()
    {
        if (_afterName)
        {
            _afterName = false;
            return;
        }
        if (!_first)
            Append((byte)',');
        if (_depth > 0)
            NewLine();
        _first = false;
    }

    private void NameWritten()
    {
        Append(indent is null ? ":"u8 : ": "u8);
        _afterName = true;
    }

    private void NewLine()
    {
        if (indent is null)
            return;
        Append((byte)'\n');
        for (var i = 0; i < _depth; i++)
            _used += Encoding.UTF8.GetBytes(indent, Room(indent.Length));
    }

    private void Text(string text)
    {
        // Half a surrogate pair becomes U+FFFD: what is written is always UTF-8.
        var length = Encoding.UTF8.GetByteCount(text);
        if (length <= 256)
        {
            Span<byte> utf8 = stackalloc byte[256];
            Text(utf8[..Encoding.UTF8.GetBytes(text, utf8)]);
        }
        else
        {
            Text(Encoding.UTF8.GetBytes(text));
        }
    }

    // RFC 8259, 7: quotation mark, reverse solidus and control characters must be escaped; all else may stand.
    private void Text(ReadOnlySpan<byte> utf8)
    {
        Append((byte)'"');
        while (utf8.Length > 0)
        {
            var plain = 0;
            while (plain < utf8.Length && utf8[plain] is >= 0x20 and not ((byte)'"' or (byte)'\\' or 0x7f))
                plain++;
            Append(utf8[..plain]);
            if (plain == utf8.Length)
                break;
            Escape(utf8[plain]);
            utf8 = utf8[(plain + 1)..];
        }
        Append((byte)'"');
    }

    private void Escape(byte c)
    {
        Append((byte)'\\');
        switch (c)
        {
            case (byte)'\n': Append((byte)'n'); break;
            case (byte)'\r': Append((byte)'r'); break;
            case (byte)'\t': Append((byte)'t'); break;
            case (byte)'"' or (byte)'\\': Append(c); break;
            default:
                Append("u00"u8);
                Append("0123456789abcdef"u8[c >> 4]);
                Append("0123456789abcdef"u8[c & 15]);
                break;
        }
    }

    private void Append(byte c)
    {
        Room(1)[0] = c;
        _used++;
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Room(bytes.Length));
        _used += bytes.Length;
    }

    private Span<byte> Room(int count)
    {
        if (_used + count > _bytes.Length)
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _used + count));
        return _bytes.AsSpan(_used);
    }
}
