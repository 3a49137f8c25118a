// The wire format of D-Bus: values one after the other, each aligned to its size (D-Bus specification, "Marshaling").

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Conman.Runtime.Systemd;

/// <summary>A value with its type: what a variant holds.</summary>
/// <param name="Signature">Its type in D-Bus letters, e.g. <c>t</c> or <c>as</c>.</param>
/// <param name="Write">Writes it.</param>
internal readonly record struct BusValue(string Signature, Action<BusWriter> Write)
{
    public static BusValue Of(bool value) => new("b", w => w.Number(value ? 1u : 0));

    public static BusValue Of(ulong value) => new("t", w => w.Number(value));

    public static BusValue Of(string value) => new("s", w => w.Text(value));

    public static BusValue Of(byte[] value) => new("ay", w => w.Array(1, () =>
    {
        foreach (var b in value)
            w.Number(b);
    }));

    public static BusValue Of(uint[] value) => new("au", w => w.Array(4, () =>
    {
        foreach (var number in value)
            w.Number(number);
    }));
}

/// <summary>Writes values, little-endian. Alignment counts from the first byte.</summary>
internal sealed class BusWriter
{
    private byte[] _bytes = new byte[512];
    private int _used;

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, _used);

    public void Align(int size)
    {
        while (_used % size != 0)
            Append(0);
    }

    /// <summary>A number of any fixed size: it lies at a multiple of that size.</summary>
    public unsafe void Number<T>(T value) where T : unmanaged
    {
        Align(sizeof(T));
        foreach (var b in MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)))
            Append(b);
    }

    public void Text(string text)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        Number((uint)utf8.Length);
        foreach (var b in utf8)
            Append(b);
        Append(0);
    }

    public void Signature(string signature)
    {
        Append((byte)signature.Length);
        foreach (var c in signature)
            Append((byte)c);
        Append(0);
    }

    public void Variant(BusValue value)
    {
        Signature(value.Signature);
        value.Write(this);
    }

    /// <summary>An array: its length in bytes, which counts from the first element's place on, then the elements.</summary>
    /// <param name="alignment">Of an element.</param>
    public void Array(int alignment, Action elements)
    {
        Number(0u);
        var length = _used - 4;
        Align(alignment);
        var start = _used;
        elements();
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(length), (uint)(_used - start));
    }

    public void Raw(ReadOnlySpan<byte> bytes)
    {
        foreach (var b in bytes)
            Append(b);
    }

    private void Append(byte b)
    {
        if (_used == _bytes.Length)
            System.Array.Resize(ref _bytes, _used * 2);
        _bytes[_used++] = b;
    }
}

/// <summary>Reads values.</summary>
/// <exception cref="RuntimeException">There is not that much.</exception>
internal ref struct BusReader(ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;

    public int Position { get; private set; }

    public readonly bool AtEnd => Position >= _bytes.Length;

    public void Align(int size) => Position = (Position + size - 1) / size * size;

    public byte Byte() => Take(1)[0];

    public uint Number()
    {
        Align(4);
        return BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
    }

    public string Text()
    {
        var length = Number();
        return Encoding.UTF8.GetString(Take((int)Math.Min(length, int.MaxValue - 1) + 1)[..^1]);
    }

    public string Signature() => Encoding.UTF8.GetString(Take(Byte() + 1)[..^1]);

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count < 1 || Position > _bytes.Length - count)
            throw new RuntimeException("cannot talk to systemd: a message of the bus is cut off");
        var taken = _bytes.Slice(Position, count);
        Position += count;
        return taken;
    }
}
