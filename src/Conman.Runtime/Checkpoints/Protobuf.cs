// Protocol buffers on the wire (protobuf.dev, "Encoding"): the two kinds of fields that CRIU's messages are made of.

using System.Text;

namespace Conman.Runtime.Checkpoints;

/// <summary>Appends fields to a message.</summary>
internal sealed class ProtobufWriter
{
    private readonly List<byte> _bytes = [];

    public byte[] ToArray() => [.. _bytes];

    /// <summary>A number, an enumeration or a truth value. A negative one is sign-extended to 64 bits, as the standard wants of int32.</summary>
    public void Add(int field, long value)
    {
        Varint((ulong)field << 3);
        Varint((ulong)value);
    }

    /// <summary>A truth value that is absent when false.</summary>
    public void Add(int field, bool value)
    {
        if (value)
            Add(field, 1);
    }

    /// <summary>A text, absent when null.</summary>
    public void Add(int field, string? value)
    {
        if (value is not null)
            Add(field, Encoding.UTF8.GetBytes(value));
    }

    /// <summary>A message within this one.</summary>
    public void Add(int field, ProtobufWriter message) => Add(field, message.ToArray());

    private void Add(int field, byte[] bytes)
    {
        Varint(((ulong)field << 3) | 2);
        Varint((ulong)bytes.Length);
        _bytes.AddRange(bytes);
    }

    private void Varint(ulong value)
    {
        for (; value >= 0x80; value >>= 7)
            _bytes.Add((byte)(value | 0x80));
        _bytes.Add((byte)value);
    }
}

/// <summary>Reads a message field by field. Fields of kinds that nobody asks for are passed over.</summary>
internal ref struct ProtobufReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    /// <summary>The current field's number.</summary>
    public int Field { get; private set; }

    /// <summary>Its value, if it is a number.</summary>
    public ulong Number { get; private set; }

    /// <summary>Its value, if it is a text or a message.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    /// <summary>Goes to the next field; false at the end.</summary>
    /// <exception cref="FormatException">The bytes are no message.</exception>
    public bool Read()
    {
        if (_rest.IsEmpty)
            return false;
        var key = Varint();
        Field = (int)(key >> 3);
        Number = 0;
        Bytes = default;
        switch (key & 7)
        {
            case 0: Number = Varint(); break;
            case 1: Take(8); break;
            case 2: Bytes = Take(Varint()); break;
            case 5: Take(4); break;
            default: throw new FormatException("not a protocol buffer");
        }
        return true;
    }

    private ulong Varint()
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = Take(1)[0];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
                return value;
        }
        throw new FormatException("not a protocol buffer");
    }

    private ReadOnlySpan<byte> Take(ulong count)
    {
        if (count > (ulong)_rest.Length)
            throw new FormatException("not a protocol buffer");
        var taken = _rest[..(int)count];
        _rest = _rest[(int)count..];
        return taken;
    }
}
