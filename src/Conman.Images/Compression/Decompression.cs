// How a layer is compressed: told by its first bytes, whatever its media type says.

using System.IO.Compression;

namespace Conman.Images.Compression;

/// <summary>How bytes are compressed.</summary>
public enum CompressionKind
{
    None,
    Gzip,
    Zstd,
}

/// <summary>Reading and writing what is compressed.</summary>
public static class Decompression
{
    /// <summary>Bytes that suffice to tell.</summary>
    public const int MagicSize = 6;

    /// <summary>Tells by the first bytes.</summary>
    /// <exception cref="ImageException">A kind that layers may not have.</exception>
    public static CompressionKind Detect(ReadOnlySpan<byte> first)
    {
        if (first.StartsWith((ReadOnlySpan<byte>)[0x1f, 0x8b]))
            return CompressionKind.Gzip;
        // A frame, or one that is to be skipped (RFC 8878, 3.1).
        if (first.StartsWith((ReadOnlySpan<byte>)[0x28, 0xb5, 0x2f, 0xfd]) || (first.Length >= 4 && first[0] >> 4 == 5 && first[1..4].SequenceEqual((ReadOnlySpan<byte>)[0x2a, 0x4d, 0x18])))
            return CompressionKind.Zstd;
        if (first.StartsWith((ReadOnlySpan<byte>)[0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0]))
            throw new ImageException("xz compression is not read: decompress it before (xz -dc FILE | conman import - NAME)");
        if (first.StartsWith("BZh"u8))
            throw new ImageException("bzip2 compression is not read: decompress it before (bzip2 -dc FILE | conman import - NAME)");
        return CompressionKind.None;
    }

    /// <summary>The uncompressed bytes of a stream, which is disposed with the result. Malformed data throws <see cref="ImageException"/> when it is read.</summary>
    public static Stream Open(Stream stream)
    {
        var first = new byte[MagicSize];
        var n = stream.ReadAtLeast(first, MagicSize, throwOnEndOfStream: false);
        var whole = new Rejoined(first.AsMemory(0, n), stream);
        return Detect(first.AsSpan(0, n)) switch
        {
            CompressionKind.Gzip => new GzipReader(whole),
            CompressionKind.Zstd => new ZstdReader(whole),
            _ => whole,
        };
    }

    /// <summary>Compresses what is written to the result; disposing it ends the data and disposes the stream below.</summary>
    /// <param name="level">As the format counts: gzip 1 to 9, zstd 1 to 19; 0 is the usual one.</param>
    public static Stream Compress(Stream stream, CompressionKind kind, int level = 0) => kind switch
    {
        CompressionKind.Gzip => new GZipStream(stream, new ZLibCompressionOptions { CompressionLevel = level == 0 ? 6 : level }),
        CompressionKind.Zstd => new ZstdWriter(stream, level == 0 ? 3 : level),
        _ => stream,
    };

    internal static ImageException CutShort(string kind) => new($"the {kind} data is cut short");

    /// <summary>A stream whose first bytes have been read already.</summary>
    private sealed class Rejoined(ReadOnlyMemory<byte> first, Stream rest) : ReadOnlyStream
    {
        private ReadOnlyMemory<byte> _first = first;

        public override int Read(Span<byte> buffer)
        {
            if (_first.IsEmpty)
                return rest.Read(buffer);
            var n = Math.Min(buffer.Length, _first.Length);
            _first.Span[..n].CopyTo(buffer);
            _first = _first[n..];
            return n;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                rest.Dispose();
            base.Dispose(disposing);
        }
    }
}
