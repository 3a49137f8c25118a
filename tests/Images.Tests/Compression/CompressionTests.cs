// Compression: told by its first bytes, read to its very end, and refused when that is missing or is not the end.

using System.Security.Cryptography;
using System.Text;
using Conman.Images.Compression;

namespace Conman.Images.Tests.Compression;

public class CompressionTests
{
    private static readonly byte[] Text = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 100_000).Select(i => $"line {i} of a text\n")));

    private static byte[] Compress(byte[] data, CompressionKind kind)
    {
        var bytes = new MemoryStream();
        using (var writer = Decompression.Compress(bytes, kind))
            writer.Write(data);
        return bytes.ToArray();
    }

    // In pieces of any size, as a pipe gives them.
    private static byte[] Decompress(byte[] data)
    {
        using var reader = Decompression.Open(new Pieces(data));
        using var plain = new MemoryStream();
        reader.CopyTo(plain);
        return plain.ToArray();
    }

    private sealed class Pieces(byte[] data) : MemoryStream(data)
    {
        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, 1 + (int)(Position % 5000)));
    }

    [Theory]
    [InlineData(CompressionKind.None)]
    [InlineData(CompressionKind.Gzip)]
    [InlineData(CompressionKind.Zstd)]
    public void What_is_compressed_comes_back(CompressionKind kind)
    {
        Assert.Equal(kind, Decompression.Detect(Compress(Text, kind)));
        Assert.Equal(Text, Decompress(Compress(Text, kind)));
        Assert.Empty(Decompress(Compress([], kind)));
    }

    [Theory]
    [InlineData(CompressionKind.Gzip)]
    [InlineData(CompressionKind.Zstd)]
    public void A13_several_members_are_read_one_after_the_other(CompressionKind kind) =>
        Assert.Equal([.. Text, .. "end"u8], Decompress([.. Compress(Text, kind), .. Compress([], kind), .. Compress("end"u8.ToArray(), kind)]));

    [Theory]
    [InlineData(CompressionKind.Gzip)]
    [InlineData(CompressionKind.Zstd)]
    public void A13_data_that_is_cut_short_is_refused_wherever_it_is_cut(CompressionKind kind)
    {
        var whole = Compress("some text that is not long"u8.ToArray(), kind);
        for (var length = 4; length < whole.Length; length++)
            Assert.Throws<ImageException>(() => Decompress(whole[..length]));
        var two = (byte[])[.. whole, .. whole];
        for (var length = whole.Length + 1; length < two.Length; length++)
            Assert.Throws<ImageException>(() => Decompress(two[..length]));
        var large = Compress(RandomNumberGenerator.GetBytes(400_000), kind);
        Assert.Throws<ImageException>(() => Decompress(large[..^1]));
        Assert.Throws<ImageException>(() => Decompress(large[..200_000]));
    }

    [Theory]
    [InlineData(CompressionKind.Gzip)]
    [InlineData(CompressionKind.Zstd)]
    public void A13_garbage_at_the_end_is_refused(CompressionKind kind)
    {
        foreach (var garbage in (byte[][])[[0], [0x1f], "garbage"u8.ToArray(), new byte[100_000]])
            Assert.Throws<ImageException>(() => Decompress([.. Compress(Text, kind), .. garbage]));
    }

    [Theory]
    [InlineData(CompressionKind.Gzip)]
    [InlineData(CompressionKind.Zstd)]
    public void A_changed_byte_is_noticed(CompressionKind kind)
    {
        var data = Compress(RandomNumberGenerator.GetBytes(10_000), kind);
        data[5000] ^= 1;
        Assert.Throws<ImageException>(() => Decompress(data));
    }

    [Fact]
    public void Frames_that_are_to_be_skipped_are_skipped()
    {
        byte[] skippable = [0x5e, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4];
        Assert.Equal(Text, Decompress([.. skippable, .. Compress(Text, CompressionKind.Zstd), .. skippable]));
    }

    [Fact]
    public void A12_a_zstd_window_of_2_GiB_is_refused()
    {
        // Magic number, a frame header whose window descriptor says 2^31 (RFC 8878, 3.1.1.1.2), and an empty last block.
        byte[] frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00];
        Assert.Throws<ImageException>(() => Decompress(frame));
        frame[5] = 17 << 3; // 2^27, 128 MiB
        Assert.Empty(Decompress(frame));
    }

    [Fact]
    public void Other_kinds_are_refused_by_name()
    {
        Assert.Contains("xz", Assert.Throws<ImageException>(() => Decompression.Detect([0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0])).Message);
        Assert.Contains("bzip2", Assert.Throws<ImageException>(() => Decompression.Detect("BZh91A"u8)).Message);
    }
}
