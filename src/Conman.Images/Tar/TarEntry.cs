// One member of a tar archive, with what its extended headers say of it.

using System.Text;

namespace Conman.Images.Tar;

/// <summary>What a member is: the type flags of pax(1) that layers may hold.</summary>
public enum TarType : byte
{
    File = (byte)'0',
    HardLink = (byte)'1',
    SymbolicLink = (byte)'2',
    CharacterDevice = (byte)'3',
    BlockDevice = (byte)'4',
    Directory = (byte)'5',
    Fifo = (byte)'6',
}

/// <summary>A moment: seconds since 1970, which may be negative, and nanoseconds after that, 0 to 999,999,999.</summary>
public readonly record struct TarTime(long Seconds, uint Nanoseconds = 0);

/// <summary>A part of a sparse file that has data, in bytes; what lies between is a hole.</summary>
public readonly record struct TarSegment(long Offset, long Length);

/// <summary>An extended attribute. The name and the value are any bytes.</summary>
public readonly record struct TarAttribute(byte[] Name, byte[] Value);

/// <summary>A member. Names are bytes, for that is what they are in an archive and in a file system.</summary>
public sealed class TarEntry
{
    public TarType Type { get; set; }

    /// <summary>The path, as it stands in the archive.</summary>
    public byte[] Name { get; set; } = [];

    /// <summary>What a link points to.</summary>
    public byte[] Link { get; set; } = [];

    /// <summary>The lower twelve bits of a mode.</summary>
    public uint Mode { get; set; }

    public uint Uid { get; set; }

    public uint Gid { get; set; }

    /// <summary>Bytes of the file, holes included.</summary>
    public long Size { get; set; }

    public TarTime Modified { get; set; }

    /// <summary>The last access, where the archive tells it.</summary>
    public TarTime? Accessed { get; set; }

    public uint DeviceMajor { get; set; }

    public uint DeviceMinor { get; set; }

    /// <summary>Extended attributes; of two of one name the later counts.</summary>
    public List<TarAttribute>? Attributes { get; set; }

    /// <summary>Where a sparse file has data, in order and without overlap; null: everywhere.</summary>
    public List<TarSegment>? Segments { get; set; }

    /// <summary>Bytes of data that follow the header.</summary>
    public long DataSize => Segments is null ? Size : Segments.Sum(s => s.Length);

    public override string ToString() => Text(Name);

    /// <summary>A name for people: one line, whatever bytes it has.</summary>
    public static string Text(ReadOnlySpan<byte> name)
    {
        const int Most = 200;
        var text = new StringBuilder();
        foreach (var c in Encoding.UTF8.GetString(name.Length > Most ? name[..Most] : name))
            text.Append(char.IsControl(c) ? '?' : c);
        return name.Length > Most ? text.Append('…').ToString() : text.ToString();
    }
}
