// The block of 512 bytes that a member begins with: where its fields lie (pax(1), "ustar Interchange Format"; tar.h of GNU tar).

using System.Buffers.Binary;

namespace Conman.Images.Tar;

internal static class TarFormat
{
    public const int Block = 512;

    /// <summary>The widths of name and link target.</summary>
    public const int NameSize = 100;

    public static readonly Range Name = 0..100, Mode = 100..108, Uid = 108..116, Gid = 116..124, Size = 124..136, Modified = 136..148, Checksum = 148..156,
        Link = 157..257, Magic = 257..265, DeviceMajor = 329..337, DeviceMinor = 337..345, Prefix = 345..500;

    public const int Type = 156;

    // GNU's own: four pairs of offset and length, whether a block of more follows, and the size with holes.
    public static readonly Range SparseMap = 386..482, SparseSize = 483..495;
    public const int SparseMore = 482, SparsePair = 24;

    // A block of more: 21 pairs, and whether there is another.
    public const int MorePairs = 504;

    // Joerg Schilling's star has a shorter prefix, and says so at the end.
    public static readonly Range StarPrefix = 345..476, StarTrailer = 508..512;

    /// <summary>Bytes that fill up the last block of so many.</summary>
    public static int Padding(long size) => (int)(-size & (Block - 1));

    /// <summary>The sum of all bytes, the checksum's own counted as spaces: of unsigned bytes, and of signed ones as some old programs did.</summary>
    public static (long Unsigned, long Signed) Sum(ReadOnlySpan<byte> block)
    {
        long unsigned = 0, signed = 0;
        for (var i = 0; i < Block; i++)
        {
            var b = i is >= 148 and < 156 ? (byte)' ' : block[i];
            unsigned += b;
            signed += (sbyte)b;
        }
        return (unsigned, signed);
    }

    /// <summary>A number: octal digits, or GNU's base 256, the highest bit of the first byte set. Null: neither, or too large.</summary>
    public static long? Number(ReadOnlySpan<byte> field)
    {
        if (field[0] is 0x80 or 0xff)
        {
            // Two's complement, the flag being a copy of the sign: what exceeds 64 bits must be a copy of it too.
            var isNegative = field[0] == 0xff;
            if (field.Length == sizeof(long))
                return BinaryPrimitives.ReadInt64BigEndian(field) & (isNegative ? -1 : long.MaxValue);
            var value = BinaryPrimitives.ReadInt64BigEndian(field[^sizeof(long)..]);
            return field[1..^sizeof(long)].ContainsAnyExcept((byte)(isNegative ? 0xff : 0)) || (value < 0) != isNegative ? null : value;
        }
        long number = 0;
        foreach (var digit in field.Trim(" \0"u8))
        {
            if (digit is < (byte)'0' or > (byte)'7' || number >> 60 != 0)
                return null;
            number = (number << 3) | (uint)(digit - '0');
        }
        return number;
    }

    /// <summary>A text, to its first zero or the end of its field.</summary>
    public static ReadOnlySpan<byte> Text(ReadOnlySpan<byte> field) => field.IndexOf((byte)0) is >= 0 and var end ? field[..end] : field;

    /// <summary>Writes octal digits and a closing zero; false if they do not fit.</summary>
    public static bool TryWriteOctal(Span<byte> field, long value)
    {
        field[^1] = 0;
        if (value < 0 || (field.Length < 22 && value >> ((field.Length - 1) * 3) != 0))
            return false;
        for (var i = field.Length - 2; i >= 0; i--, value >>= 3)
            field[i] = (byte)('0' + (value & 7));
        return true;
    }
}
