// Archives in memory, made member by member as a test needs them.

using System.Text;
using Conman.Images.Tar;

namespace Conman.Images.Tests.Tar;

internal sealed class Archive
{
    private readonly MemoryStream _bytes = new();
    private readonly TarWriter _writer;

    public Archive() => _writer = new TarWriter(_bytes);

    public Archive Add(TarEntry entry, string content = "")
    {
        var data = Encoding.UTF8.GetBytes(content);
        if (entry.Type == TarType.File && entry.Segments is null)
            entry.Size = data.Length;
        _writer.Write(entry);
        _writer.WriteData(data);
        return this;
    }

    public Archive File(string name, string content = "", uint mode = 0x1a4 /* 0644 */) => Add(Entry(TarType.File, name, mode), content);

    public Archive Directory(string name, uint mode = 0x1ed /* 0755 */) => Add(Entry(TarType.Directory, name, mode));

    public Archive Symlink(string name, string target) => Add(Entry(TarType.SymbolicLink, name, 0x1ff, target));

    public Archive HardLink(string name, string target) => Add(Entry(TarType.HardLink, name, 0x1a4, target));

    public Archive Device(string name, TarType type, uint major, uint minor)
    {
        var entry = Entry(type, name, 0x1b6);
        (entry.DeviceMajor, entry.DeviceMinor) = (major, minor);
        return Add(entry);
    }

    public byte[] ToArray()
    {
        _writer.Finish();
        return _bytes.ToArray();
    }

    /// <summary>Without the blocks of zeros at its end.</summary>
    public byte[] Unfinished() => _bytes.ToArray();

    public static TarEntry Entry(TarType type, string name, uint mode = 0x1a4, string link = "") => new()
    {
        Type = type,
        Name = Encoding.UTF8.GetBytes(name),
        Link = Encoding.UTF8.GetBytes(link),
        Mode = mode,
        Modified = new TarTime(1_700_000_000),
    };

    /// <summary>All members and their data.</summary>
    public static List<(TarEntry Entry, byte[] Data)> Read(byte[] archive) => Read(new MemoryStream(archive));

    public static List<(TarEntry Entry, byte[] Data)> Read(Stream archive)
    {
        var reader = new TarReader(archive);
        var members = new List<(TarEntry, byte[])>();
        while (reader.Next() is { } entry)
        {
            using var data = new MemoryStream();
            for (ReadOnlySpan<byte> piece; !(piece = reader.ReadData()).IsEmpty;)
                data.Write(piece);
            members.Add((entry, data.ToArray()));
        }
        return members;
    }

    /// <summary>A header by hand, its checksum set: <paramref name="change"/> may write into it.</summary>
    public static byte[] Header(string name, char type, long size, Action<byte[]>? change = null)
    {
        var block = new byte[512];
        Encoding.UTF8.GetBytes(name).CopyTo(block, 0);
        "0000644\0"u8.CopyTo(block.AsSpan(100));
        "0000000\0"u8.CopyTo(block.AsSpan(108));
        "0000000\0"u8.CopyTo(block.AsSpan(116));
        Encoding.ASCII.GetBytes(Convert.ToString(size, 8).PadLeft(11, '0') + "\0").CopyTo(block, 124);
        "00000000000\0"u8.CopyTo(block.AsSpan(136));
        block[156] = (byte)type;
        "ustar\000"u8.CopyTo(block.AsSpan(257));
        change?.Invoke(block);
        block.AsSpan(148, 8).Fill((byte)' ');
        Encoding.ASCII.GetBytes(Convert.ToString(block.Sum(b => b), 8).PadLeft(6, '0') + "\0 ").CopyTo(block, 148);
        return block;
    }

    /// <summary>Data in whole blocks.</summary>
    public static byte[] Padded(byte[] data) => [.. data, .. new byte[-data.Length & 511]];

    /// <summary>An extended header with these records.</summary>
    public static byte[] Pax(params (string Key, string Value)[] records)
    {
        var text = string.Concat(records.Select(r => Record(r.Key, r.Value)));
        return [.. Header("pax", 'x', Encoding.UTF8.GetByteCount(text)), .. Padded(Encoding.UTF8.GetBytes(text))];
    }

    public static string Record(string key, string value)
    {
        var rest = Encoding.UTF8.GetByteCount(key + value) + 3;
        var length = rest + 1;
        while (length != rest + length.ToString().Length)
            length = rest + length.ToString().Length;
        return $"{length} {key}={value}\n";
    }
}
