// Writes one zstd frame (RFC 8878), with a checksum.

namespace Conman.Images.Compression;

internal sealed unsafe class ZstdWriter : Stream
{
    private readonly Stream _compressed;
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(128 << 10);
    private nint _context = Zstd.ZSTD_createCCtx();

    public ZstdWriter(Stream compressed, int level)
    {
        _compressed = compressed;
        Check(Zstd.ZSTD_CCtx_setParameter(_context, Zstd.CompressionLevel, level));
        Check(Zstd.ZSTD_CCtx_setParameter(_context, Zstd.ChecksumFlag, 1));
    }

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
    public override void Flush() { }
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer) => Compress(buffer, Zstd.Continue);

    /// <summary>Ends the frame, and disposes the stream below.</summary>
    protected override void Dispose(bool disposing)
    {
        if (_context != 0)
        {
            if (disposing)
            {
                Compress(default, Zstd.End);
                _compressed.Dispose();
            }
            Zstd.ZSTD_freeCCtx(_context);
            _context = 0;
        }
        base.Dispose(disposing);
    }

    private void Compress(ReadOnlySpan<byte> data, int end)
    {
        ObjectDisposedException.ThrowIf(_context == 0, this);
        fixed (byte* input = data, output = _buffer)
        {
            var from = new Zstd.Piece { Bytes = input, Size = (nuint)data.Length };
            nuint left;
            do
            {
                var to = new Zstd.Piece { Bytes = output, Size = (nuint)_buffer.Length };
                left = Check(Zstd.ZSTD_compressStream2(_context, &to, &from, end));
                _compressed.Write(_buffer, 0, (int)to.Position);
            }
            while (end == Zstd.End ? left != 0 : from.Position < from.Size);
        }
    }

    private static nuint Check(nuint code) =>
        Zstd.ZSTD_isError(code) == 0 ? code : throw new ImageException("cannot compress by zstd: " + Zstd.Describe(code).ToLowerInvariant());
}
