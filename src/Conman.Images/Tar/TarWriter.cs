// Writes a tar archive as Go's archive/tar does, byte for byte where that can say it: ustar, and a pax(1) header before a member that needs one.
// Sparse files are GNU's format 1.0. The same members make the same bytes.

using System.Globalization;
using System.Text;

namespace Conman.Images.Tar;

/// <summary>A member's header by <see cref="Write"/>, then its data by <see cref="WriteData"/>; <see cref="Finish"/> ends the archive.</summary>
public sealed class TarWriter(Stream stream)
{
    private static readonly byte[] Zeros = new byte[2 * TarFormat.Block];
    private readonly byte[] _block = new byte[TarFormat.Block];
    private long _data;
    private int _padding;

    /// <summary>Members so far.</summary>
    public long Members { get; private set; }

    /// <summary>The header of a member; <see cref="TarEntry.DataSize"/> bytes of data must follow. Access times are not written.</summary>
    public void Write(TarEntry entry)
    {
        Pad();
        Members++;
        var records = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        var name = entry.Name.AsSpan();
        byte[] map = [];
        if (entry.Segments is { } segments)
        {
            map = Map(segments);
            records["GNU.sparse.major"] = "1"u8.ToArray();
            records["GNU.sparse.minor"] = "0"u8.ToArray();
            records["GNU.sparse.name"] = entry.Name;
            records["GNU.sparse.realsize"] = Decimal(entry.Size);
            name = Beside(name, "GNUSparseFile.0");
        }
        var size = entry.Type == TarType.File ? map.Length + entry.DataSize : 0;
        foreach (var (key, value) in entry.Attributes ?? [])
            records["SCHILY.xattr." + Encoding.Latin1.GetString(key).Replace("%", "%25", StringComparison.Ordinal).Replace("=", "%3D", StringComparison.Ordinal)] = value;
        if (entry.Link.Length > TarFormat.NameSize || !Ascii(entry.Link))
            records["linkpath"] = entry.Link;
        if (entry.Modified.Nanoseconds != 0 || entry.Modified.Seconds is < 0 or > 0x1_ffff_ffff)
            records["mtime"] = Encoding.ASCII.GetBytes(Text(entry.Modified));
        if (entry.Uid > 0x1f_ffff)
            records["uid"] = Decimal(entry.Uid);
        if (entry.Gid > 0x1f_ffff)
            records["gid"] = Decimal(entry.Gid);
        if (size > 0x1_ffff_ffff)
            records["size"] = Decimal(size);
        var prefix = 0;
        if (name.Length > TarFormat.NameSize || !Ascii(name))
        {
            prefix = records.Count == 0 && Ascii(name) ? Split(name) : 0;
            if (prefix == 0)
                records["path"] = name.ToArray();
        }
        if (records.Count > 0)
            WriteRecords(records, name);

        Begin(prefix == 0 ? name : name[(prefix + 1)..], (byte)entry.Type);
        CopyAscii(entry.Link, _block.AsSpan(TarFormat.Link));
        Octal(TarFormat.Mode, entry.Mode);
        Octal(TarFormat.Uid, entry.Uid);
        Octal(TarFormat.Gid, entry.Gid);
        Octal(TarFormat.Size, size);
        Octal(TarFormat.Modified, entry.Modified.Seconds);
        Octal(TarFormat.DeviceMajor, entry.DeviceMajor);
        Octal(TarFormat.DeviceMinor, entry.DeviceMinor);
        if (prefix > 0)
            name[..prefix].CopyTo(_block.AsSpan(TarFormat.Prefix));
        WriteBlock();
        stream.Write(map);
        (_data, _padding) = (size - map.Length, TarFormat.Padding(size));
    }

    /// <summary>Data of the member: all of it, in as many pieces as one likes.</summary>
    public void WriteData(ReadOnlySpan<byte> data)
    {
        if (data.Length > _data)
            throw new InvalidOperationException("more data than the header said");
        stream.Write(data);
        _data -= data.Length;
    }

    /// <summary>The end of the archive: two blocks of zeros.</summary>
    public void Finish()
    {
        Pad();
        stream.Write(Zeros);
    }

    private void Pad()
    {
        if (_data > 0)
            throw new InvalidOperationException("less data than the header said");
        stream.Write(Zeros, 0, _padding);
        _padding = 0;
    }

    private void WriteRecords(SortedDictionary<string, byte[]> records, ReadOnlySpan<byte> name)
    {
        using var content = new MemoryStream();
        foreach (var (key, value) in records)
        {
            // The length counts its own digits.
            var rest = key.Length + value.Length + 3;
            var length = rest + Digits(rest);
            length = rest + Digits(length);
            content.Write(Encoding.Latin1.GetBytes(length.ToString(CultureInfo.InvariantCulture) + " " + key + "="));
            content.Write(value);
            content.WriteByte((byte)'\n');
        }
        var size = (int)content.Length;
        Begin(Ascii(Beside(name, "PaxHeaders.0")).TrimEnd((byte)'/'), (byte)'x');
        foreach (var field in (ReadOnlySpan<Range>)[TarFormat.Mode, TarFormat.Uid, TarFormat.Gid, TarFormat.Modified])
            Octal(field, 0);
        Octal(TarFormat.Size, size);
        WriteBlock();
        stream.Write(content.GetBuffer(), 0, size);
        stream.Write(Zeros, 0, TarFormat.Padding(size));

        static byte[] Ascii(ReadOnlySpan<byte> name)
        {
            var field = new byte[TarFormat.NameSize];
            CopyAscii(name, field);
            return TarFormat.Text(field).ToArray();
        }
    }

    private static int Digits(int number) => number.ToString(CultureInfo.InvariantCulture).Length;

    private void Begin(ReadOnlySpan<byte> name, byte type)
    {
        _block.AsSpan().Clear();
        CopyAscii(name, _block.AsSpan(TarFormat.Name));
        _block[TarFormat.Type] = type;
        "ustar\000"u8.CopyTo(_block.AsSpan(TarFormat.Magic));
    }

    private void Octal(Range field, long value)
    {
        if (!TarFormat.TryWriteOctal(_block.AsSpan(field), value))
            TarFormat.TryWriteOctal(_block.AsSpan(field), 0); // a record says it
    }

    private void WriteBlock()
    {
        var field = _block.AsSpan(TarFormat.Checksum);
        TarFormat.TryWriteOctal(field[..7], TarFormat.Sum(_block).Unsigned);
        field[7] = (byte)' ';
        stream.Write(_block);
    }

    // What is no ASCII is left out: a record has the whole of it.
    private static void CopyAscii(ReadOnlySpan<byte> text, Span<byte> field)
    {
        var used = 0;
        foreach (var b in text)
        {
            if (b < 0x80 && used < Math.Min(field.Length, TarFormat.NameSize))
                field[used++] = b;
        }
    }

    private static bool Ascii(ReadOnlySpan<byte> text) => !text.ContainsAnyInRange((byte)0x80, (byte)0xff);

    // Where a long name is divided between prefix and name: the last slash that leaves both short enough. 0: it cannot be.
    private static int Split(ReadOnlySpan<byte> name)
    {
        if (name.Length > 255 + 1)
            return 0;
        var most = Math.Min(name.Length, 155 + 1);
        if (name.Length < most + 1 && name[^1] == '/')
            most--;
        var slash = name[..most].LastIndexOf((byte)'/');
        return slash <= 0 || name.Length - slash - 1 is > TarFormat.NameSize or 0 ? 0 : slash;
    }

    // DIRECTORY/folder/NAME, as path.Join makes it.
    private static byte[] Beside(ReadOnlySpan<byte> name, string folder)
    {
        var whole = name.TrimEnd((byte)'/');
        var slash = whole.LastIndexOf((byte)'/');
        var directory = slash < 0 ? default : whole[..(slash + 1)];
        if (directory.StartsWith("./"u8))
            directory = directory[2..];
        return [.. directory, .. Encoding.ASCII.GetBytes(folder), (byte)'/', .. whole[(slash + 1)..]];
    }

    private static byte[] Map(List<TarSegment> segments)
    {
        var text = new StringBuilder().Append(segments.Count).Append('\n');
        foreach (var (offset, length) in segments)
            text.Append(offset).Append('\n').Append(length).Append('\n');
        text.Append('\0', TarFormat.Padding(text.Length));
        return Encoding.ASCII.GetBytes(text.ToString());
    }

    private static byte[] Decimal(long number) => Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture));

    private static string Text(TarTime time)
    {
        var (seconds, nanoseconds, sign) = (time.Seconds, time.Nanoseconds, "");
        if (seconds < 0 && nanoseconds != 0)
            (seconds, nanoseconds) = (seconds + 1, 1_000_000_000 - nanoseconds);
        if (seconds < 0 || (time.Seconds < 0 && seconds == 0))
            (seconds, sign) = (-seconds, "-");
        var text = sign + seconds.ToString(CultureInfo.InvariantCulture);
        return nanoseconds == 0 ? text : text + "." + nanoseconds.ToString("D9", CultureInfo.InvariantCulture).TrimEnd('0');
    }
}
