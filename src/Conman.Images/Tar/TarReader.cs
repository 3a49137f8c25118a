// Reads a tar archive forward, member by member: ustar, pax(1), GNU's long names, numbers and sparse files. The archive is not trusted.

using System.Buffers.Text;
using System.Text;

namespace Conman.Images.Tar;

/// <summary>
/// <see cref="Next"/>, then <see cref="ReadData"/> until it is empty, or <see cref="Next"/> again. What is malformed throws
/// <see cref="ImageException"/>. Where programs read an archive differently this reads it as Go's archive/tar does, for by that layers are made.
/// </summary>
public sealed class TarReader(Stream stream)
{
    /// <summary>Bytes of extended headers that a member may have, a long name among them, and that all global ones may have together.</summary>
    public const int MaximalHeader = 1 << 20;

    /// <summary>Bytes of a path. The kernel takes 4,095 at once; longer ones can be made step by step.</summary>
    public const int MaximalPath = 64 << 10;

    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(256 << 10);
    private readonly PaxRecords _global = new();
    private int _start, _end;
    private long _data, _padding, _passed;
    private bool _ended;

    /// <summary>The next member; null at the end of the archive. What follows the end is not read.</summary>
    public TarEntry? Next()
    {
        while (_data > 0)
            ReadData();
        // The padding of the last member may be missing, and the archive's end with it: Go's reader takes such, and umoci writes them.
        while (_padding > 0 && !_ended)
        {
            _ended = !Fill(1);
            var n = (int)Math.Min(_padding, _end - _start);
            _start += n;
            _padding -= n;
        }
        if (_ended)
            return null;
        PaxRecords? records = null;
        byte[]? longName = null, longLink = null;
        var budget = MaximalHeader;
        while (Fill(TarFormat.Block))
        {
            var block = _buffer.AsSpan(_start, TarFormat.Block);
            if (!block.ContainsAnyExcept((byte)0))
                return End(records is not null || longName is not null || longLink is not null);
            var checksum = TarFormat.Number(block[TarFormat.Checksum]);
            var (unsigned, signed) = TarFormat.Sum(block);
            if (checksum != unsigned && checksum != signed)
                throw new ImageException("this is no tar archive: a header's checksum is wrong");
            var flag = block[TarFormat.Type];
            if (flag is not ((byte)'x' or (byte)'X' or (byte)'g' or (byte)'L' or (byte)'K'))
                return Member(block, flag, records, longName, longLink, budget);
            var size = Number(block, TarFormat.Size, "size");
            if (size > budget)
                throw new ImageException($"an extended header of {size} bytes is more than the {MaximalHeader} that are allowed");
            budget -= (int)size;
            _start += TarFormat.Block;
            var content = Take((int)size);
            switch (flag)
            {
                case (byte)'g':
                    _global.Merge(PaxRecords.Parse(content), MaximalHeader);
                    budget = MaximalHeader;
                    break;
                case (byte)'L':
                    longName = TarFormat.Text(content).ToArray();
                    break;
                case (byte)'K':
                    longLink = TarFormat.Text(content).ToArray();
                    break;
                default:
                    records = PaxRecords.Parse(content);
                    break;
            }
        }
        if (records is not null || longName is not null || longLink is not null)
            throw CutShort();
        _ended = true;
        return null;
    }

    /// <summary>Where the data of the member that <see cref="Next"/> gave begins, bytes from the archive's beginning; before any of it is read.</summary>
    public long DataOffset => _passed + _start;

    /// <summary>The next piece of the member's data, as it stands in the archive: of a sparse file only what is no hole. Empty at its end.</summary>
    public ReadOnlySpan<byte> ReadData()
    {
        if (_data == 0)
            return default;
        if (!Fill(1))
            throw CutShort();
        var piece = _buffer.AsSpan(_start, (int)Math.Min(_data, _end - _start));
        _start += piece.Length;
        _data -= piece.Length;
        return piece;
    }

    private static ImageException CutShort() => new("the tar archive is cut short");

    // A block of zeros ends an archive, and a second one confirms it.
    private TarEntry? End(bool pending)
    {
        _start += TarFormat.Block;
        if (pending)
            throw CutShort();
        if (Fill(TarFormat.Block))
        {
            if (_buffer.AsSpan(_start, TarFormat.Block).ContainsAnyExcept((byte)0))
                throw new ImageException("a tar archive goes on after a block of zeros");
            _start += TarFormat.Block;
        }
        _ended = true;
        return null;
    }

    private TarEntry Member(ReadOnlySpan<byte> block, byte flag, PaxRecords? records, byte[]? longName, byte[]? longLink, int budget)
    {
        var magic = block[TarFormat.Magic];
        var isUstar = magic[..6].SequenceEqual("ustar\0"u8);
        var isGnu = magic.SequenceEqual("ustar  \0"u8);
        var entry = new TarEntry
        {
            Mode = (uint)Number(block, TarFormat.Mode, "mode") & 0xfffu,
            Modified = new TarTime(TarFormat.Number(block[TarFormat.Modified]) ?? throw Invalid(block, "time")),
            Size = Number(block, TarFormat.Size, "size"),
            Name = Name(block, isUstar),
            Link = TarFormat.Text(block[TarFormat.Link]).ToArray(),
        };
        var pax = new PaxMember
        {
            Uid = TarFormat.Number(block[TarFormat.Uid]) ?? throw Invalid(block, "owner"),
            Gid = TarFormat.Number(block[TarFormat.Gid]) ?? throw Invalid(block, "group"),
            Major = isUstar || isGnu ? Number(block, TarFormat.DeviceMajor, "device number") : 0,
            Minor = isUstar || isGnu ? Number(block, TarFormat.DeviceMinor, "device number") : 0,
        };
        List<TarSegment>? segments = null;
        long realSize = 0;
        var more = false;
        if (flag == 'S')
        {
            segments = [];
            Pairs(block[TarFormat.SparseMap], segments);
            realSize = Number(block, TarFormat.SparseSize, "size");
            more = block[TarFormat.SparseMore] != 0;
        }
        _start += TarFormat.Block;
        for (; more; budget -= TarFormat.Block, _start += TarFormat.Block)
        {
            if (!Fill(TarFormat.Block))
                throw CutShort();
            if (budget < 0)
                throw new ImageException($"{entry}: its map of holes is too long");
            Pairs(_buffer.AsSpan(_start, TarFormat.MorePairs), segments!);
            more = _buffer[_start + TarFormat.MorePairs] != 0;
        }
        _global.Apply(entry, pax);
        records?.Apply(entry, pax);
        (entry.Name, entry.Link) = (longName ?? entry.Name, longLink ?? entry.Link);
        if (entry.Name.Length > MaximalPath || entry.Link.Length > MaximalPath)
            throw new ImageException($"{entry}: a path of {Math.Max(entry.Name.Length, entry.Link.Length)} bytes is more than the {MaximalPath} that are allowed");
        (entry.Uid, entry.Gid) = (Id(entry, pax.Uid, "owner"), Id(entry, pax.Gid, "group"));
        entry.Type = Type(entry, flag);
        if (entry.Type is TarType.CharacterDevice or TarType.BlockDevice)
        {
            if (pax.Major is < 0 or > 0xfff || pax.Minor is < 0 or > 0xfffff)
                throw new ImageException($"{entry}: there is no device {pax.Major}:{pax.Minor}");
            (entry.DeviceMajor, entry.DeviceMinor) = ((uint)pax.Major, (uint)pax.Minor);
        }
        if (entry.Type != TarType.File)
        {
            entry.Size = 0;
            return entry;
        }
        (_data, _padding) = (entry.Size, TarFormat.Padding(entry.Size));
        if (pax.SparseMap is not null || pax.SparseMajor == 1)
        {
            segments = pax.SparseMajor == 1 ? MapInData(entry, budget) : pax.SparseMap!;
            realSize = pax.SparseSize ?? throw new ImageException($"{entry}: a sparse file without its size");
            entry.Name = pax.SparseName ?? entry.Name;
        }
        if (segments is not null)
        {
            Check(entry, segments, realSize);
            (entry.Segments, entry.Size) = (segments, realSize);
        }
        return entry;
    }

    private static byte[] Name(ReadOnlySpan<byte> block, bool isUstar)
    {
        var name = TarFormat.Text(block[TarFormat.Name]);
        var isStar = block[TarFormat.StarTrailer].SequenceEqual("tar\0"u8);
        var prefix = isUstar ? TarFormat.Text(block[isStar ? TarFormat.StarPrefix : TarFormat.Prefix]) : default;
        return prefix.IsEmpty ? name.ToArray() : [.. prefix, (byte)'/', .. name];
    }

    private static TarType Type(TarEntry entry, byte flag) => flag switch
    {
        0 when entry.Name.AsSpan().EndsWith("/"u8) => TarType.Directory,
        0 or (byte)'0' or (byte)'7' or (byte)'S' => TarType.File,
        >= (byte)'1' and <= (byte)'6' => (TarType)flag,
        _ => throw new ImageException($"{entry}: a tar member of type {(flag is > 0x20 and < 0x7f ? $"'{(char)flag}'" : flag)} is not supported"),
    };

    private static long Number(ReadOnlySpan<byte> block, Range field, string what) =>
        TarFormat.Number(block[field]) is >= 0 and var number ? number : throw Invalid(block, what);

    private static ImageException Invalid(ReadOnlySpan<byte> block, string what) => new($"{TarEntry.Text(TarFormat.Text(block[TarFormat.Name]))}: the {what} in its tar header is no number");

    // The last number means "leave it" to chown(2).
    private static uint Id(TarEntry entry, long id, string what) =>
        id is >= 0 and < uint.MaxValue ? (uint)id : throw new ImageException($"{entry}: there is no {what} {id}");

    private static void Pairs(ReadOnlySpan<byte> map, List<TarSegment> segments)
    {
        for (; map.Length >= TarFormat.SparsePair && map[0] != 0; map = map[TarFormat.SparsePair..])
        {
            var (offset, length) = (TarFormat.Number(map[..12]), TarFormat.Number(map[12..24]));
            segments.Add(new TarSegment(offset ?? -1, length ?? -1));
        }
    }

    // GNU's format 1.0: the map stands before the data, as decimal numbers a line each, in whole blocks.
    private List<TarSegment> MapInData(TarEntry entry, int budget)
    {
        var inBlock = 0;
        var segments = new List<TarSegment>();
        for (var count = Line(); count > 0; count--)
            segments.Add(new TarSegment(Line(), Line()));
        var rest = inBlock == 0 ? 0 : TarFormat.Block - inBlock;
        if (rest > _data)
            throw Invalid();
        Skip(rest);
        _data -= rest;
        entry.Size = _data;
        return segments;

        long Line()
        {
            long number = 0;
            for (var digits = 0; ; digits++)
            {
                if (_data == 0 || --budget < 0 || digits > 19)
                    throw Invalid();
                if (!Fill(1))
                    throw CutShort();
                var digit = _buffer[_start++];
                _data--;
                inBlock = (inBlock + 1) % TarFormat.Block;
                if (digit == '\n' && digits > 0)
                    return number;
                if (digit is < (byte)'0' or > (byte)'9' || number > (long.MaxValue - 9) / 10)
                    throw Invalid();
                number = number * 10 + (digit - '0');
            }
        }

        ImageException Invalid() => new($"{entry}: its map of holes is no such map");
    }

    private static void Check(TarEntry entry, List<TarSegment> segments, long realSize)
    {
        long end = 0, sum = 0;
        foreach (var (offset, length) in segments)
        {
            if (offset < end || length < 0 || length > realSize - offset)
                throw new ImageException($"{entry}: its map of holes is not in order");
            end = offset + length;
            sum += length;
        }
        if (sum != entry.Size || realSize < 0)
            throw new ImageException($"{entry}: its map of holes does not fit its data");
    }

    // So many bytes, copied.
    private byte[] Take(int size)
    {
        var content = new byte[size];
        for (var used = 0; used < size;)
        {
            if (!Fill(1))
                throw CutShort();
            var n = Math.Min(size - used, _end - _start);
            _buffer.AsSpan(_start, n).CopyTo(content.AsSpan(used));
            used += n;
            _start += n;
        }
        Skip(TarFormat.Padding(size));
        return content;
    }

    private void Skip(long count)
    {
        while (count > 0)
        {
            if (!Fill(1))
                throw CutShort();
            var n = (int)Math.Min(count, _end - _start);
            _start += n;
            count -= n;
        }
    }

    // Sees to it that so many bytes are in the buffer; false at the end of the stream, where there are none.
    private bool Fill(int count)
    {
        if (_end - _start >= count)
            return true;
        if (_start > 0)
        {
            _buffer.AsSpan(_start.._end).CopyTo(_buffer);
            _passed += _start;
            (_start, _end) = (0, _end - _start);
        }
        while (_end < count)
        {
            var n = stream.Read(_buffer, _end, _buffer.Length - _end);
            if (n == 0)
                return _end == 0 ? false : throw CutShort();
            _end += n;
        }
        return true;
    }
}

/// <summary>What extended headers say of a member beyond its own fields.</summary>
internal sealed class PaxMember
{
    public long Uid, Gid, Major, Minor;
    public long SparseMajor;
    public long? SparseSize;
    public byte[]? SparseName;
    public List<TarSegment>? SparseMap;
}

/// <summary>The records of an extended header, <c>LENGTH KEY=VALUE\n</c> each, in their order.</summary>
internal sealed class PaxRecords
{
    private readonly List<(byte[] Key, byte[] Value)> _records = [];

    public static PaxRecords Parse(ReadOnlySpan<byte> content)
    {
        var records = new PaxRecords();
        while (content.Length > 0)
        {
            if (!Utf8Parser.TryParse(content, out int length, out var digits) || digits > 10 || length < digits + 3 || length > content.Length
                || content[digits] != ' ' || content[length - 1] != '\n')
                throw new ImageException("an extended tar header is malformed");
            var record = content[(digits + 1)..(length - 1)];
            var equals = record.IndexOf((byte)'=');
            if (equals <= 0)
                throw new ImageException("an extended tar header is malformed");
            records._records.Add((record[..equals].ToArray(), record[(equals + 1)..].ToArray()));
            content = content[length..];
        }
        return records;
    }

    /// <summary>What is said later replaces what was said before: that holds for all following members.</summary>
    public void Merge(PaxRecords later, int limit)
    {
        var keys = later._records.Select(r => Encoding.Latin1.GetString(r.Key)).ToHashSet();
        _records.RemoveAll(r => keys.Contains(Encoding.Latin1.GetString(r.Key)));
        _records.AddRange(later._records);
        if (_records.Sum(r => (long)r.Key.Length + r.Value.Length) > limit)
            throw new ImageException($"global extended tar headers of more than {limit} bytes");
    }

    public void Apply(TarEntry entry, PaxMember member)
    {
        foreach (var (key, value) in _records)
            Apply(key, value, entry, member);
    }

    private static void Apply(ReadOnlySpan<byte> key, byte[] value, TarEntry entry, PaxMember member)
    {
        if (key.StartsWith("SCHILY.xattr."u8))
        {
            (entry.Attributes ??= []).Add(new TarAttribute(DecodeName(key[13..], "3D"u8, "25"u8), value));
            return;
        }
        if (key.StartsWith("LIBARCHIVE.xattr."u8))
        {
            (entry.Attributes ??= []).Add(new TarAttribute(DecodeName(key[17..], default, default), DecodeBase64(value, entry)));
            return;
        }
        if (value.Length == 0)
            return; // deletes what was said before, and leaves the header's own field
        if (key.SequenceEqual("path"u8))
            entry.Name = Path(value, entry);
        else if (key.SequenceEqual("linkpath"u8))
            entry.Link = Path(value, entry);
        else if (key.SequenceEqual("size"u8))
            entry.Size = Number(key, value, entry);
        else if (key.SequenceEqual("uid"u8))
            member.Uid = Number(key, value, entry);
        else if (key.SequenceEqual("gid"u8))
            member.Gid = Number(key, value, entry);
        else if (key.SequenceEqual("mtime"u8))
            entry.Modified = Time(key, value, entry);
        else if (key.SequenceEqual("atime"u8))
            entry.Accessed = Time(key, value, entry);
        else if (key.SequenceEqual("SCHILY.devmajor"u8))
            member.Major = Number(key, value, entry);
        else if (key.SequenceEqual("SCHILY.devminor"u8))
            member.Minor = Number(key, value, entry);
        else if (key.StartsWith("GNU.sparse."u8))
            ApplySparse(key[11..], value, entry, member);
    }

    // GNU's formats 0.0 (offsets and lengths alternate), 0.1 (one list) and 1.0 (the map is in the data).
    private static void ApplySparse(ReadOnlySpan<byte> key, byte[] value, TarEntry entry, PaxMember member)
    {
        if (key.SequenceEqual("major"u8))
            member.SparseMajor = Number(key, value, entry);
        else if (key.SequenceEqual("size"u8) || key.SequenceEqual("realsize"u8))
            member.SparseSize = Number(key, value, entry);
        else if (key.SequenceEqual("name"u8))
            member.SparseName = Path(value, entry);
        else if (key.SequenceEqual("numblocks"u8))
            member.SparseMap ??= [];
        else if (key.SequenceEqual("offset"u8))
            (member.SparseMap ??= []).Add(new TarSegment(Number(key, value, entry), -1));
        else if (key.SequenceEqual("numbytes"u8) && member.SparseMap is { Count: > 0 } map)
            map[^1] = map[^1] with { Length = Number(key, value, entry) };
        else if (key.SequenceEqual("map"u8))
        {
            member.SparseMap = [];
            long? offset = null;
            foreach (var part in value.AsSpan().Split((byte)','))
            {
                var number = Number(key, value.AsSpan(part), entry);
                if (offset is null)
                {
                    offset = number;
                    continue;
                }
                member.SparseMap.Add(new TarSegment(offset.Value, number));
                offset = null;
            }
        }
    }

    private static byte[] Path(byte[] value, TarEntry entry) =>
        value.AsSpan().Contains((byte)0) ? throw new ImageException($"{entry}: a path with a zero byte in an extended tar header") : value;

    private static ImageException Invalid(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, TarEntry entry) =>
        new($"{entry}: {TarEntry.Text(key)}={TarEntry.Text(value)} in its extended tar header is no number");

    private static long Number(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, TarEntry entry) =>
        Utf8Parser.TryParse(value, out long number, out var used) && used == value.Length && number >= 0 ? number : throw Invalid(key, value, entry);

    // Decimal, with a fraction of any length, of which nine digits count.
    private static TarTime Time(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, TarEntry entry)
    {
        var point = value.IndexOf((byte)'.');
        var whole = point < 0 ? value : value[..point];
        if (!Utf8Parser.TryParse(whole, out long seconds, out var used) || used != whole.Length)
            throw Invalid(key, value, entry);
        uint nanoseconds = 0;
        var fraction = point < 0 ? default : value[(point + 1)..];
        if (fraction.ContainsAnyExceptInRange((byte)'0', (byte)'9'))
            throw Invalid(key, value, entry);
        for (var i = 0; i < 9; i++)
            nanoseconds = nanoseconds * 10 + (i < fraction.Length ? (uint)(fraction[i] - '0') : 0);
        return value[0] != '-' || nanoseconds == 0 ? new TarTime(seconds, nanoseconds) : new TarTime(seconds - 1, 1_000_000_000 - nanoseconds);
    }

    // %XX in a name: any of them, or only those that GNU tar makes.
    private static byte[] DecodeName(ReadOnlySpan<byte> name, ReadOnlySpan<byte> one, ReadOnlySpan<byte> other)
    {
        if (!name.Contains((byte)'%'))
            return name.ToArray();
        var decoded = new List<byte>(name.Length);
        for (var i = 0; i < name.Length; i++)
        {
            if (name[i] == '%' && i + 2 < name.Length + 0 && name.Slice(i + 1, 2) is var hex && (one.IsEmpty || hex.SequenceEqual(one) || hex.SequenceEqual(other))
                && Utf8Parser.TryParse(hex, out byte value, out var used, 'x') && used == 2)
            {
                decoded.Add(value);
                i += 2;
                continue;
            }
            decoded.Add(name[i]);
        }
        return [.. decoded];
    }

    // Without the padding, as libarchive writes it.
    private static byte[] DecodeBase64(byte[] value, TarEntry entry)
    {
        byte[] padded = [.. value.AsSpan().TrimEnd((byte)'='), .. "==="u8[..((4 - value.AsSpan().TrimEnd((byte)'=').Length % 4) % 4)]];
        var decoded = new byte[padded.Length];
        return Base64.DecodeFromUtf8(padded, decoded, out _, out var written) == System.Buffers.OperationStatus.Done
            ? decoded[..written]
            : throw new ImageException($"{entry}: an attribute in its extended tar header is no base64");
    }
}
