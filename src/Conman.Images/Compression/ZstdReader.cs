// Reads zstd (RFC 8878): any number of frames; those that are to be skipped are, so that zstd:chunked is read as zstd.

namespace Conman.Images.Compression;

internal sealed unsafe class ZstdReader : ReadOnlyStream
{
    // The memory that a frame may ask for is 128 MiB, 2^27: what `zstd --ultra` makes, and far more than any layer needs.
    private const int MaximalWindowLog = 27;

    private readonly Stream _compressed;
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(128 << 10);
    private nint _context = Zstd.ZSTD_createDCtx();
    private int _start, _end;
    private bool _inFrame;

    public ZstdReader(Stream compressed)
    {
        _compressed = compressed;
        Check(_context == 0 ? nuint.MaxValue - 63 /* ZSTD_error_memory_allocation */ : Zstd.ZSTD_DCtx_setParameter(_context, Zstd.WindowLogMax, MaximalWindowLog));
    }

    public override int Read(Span<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(_context == 0, this);
        if (buffer.IsEmpty)
            return 0;
        for (; ; )
        {
            var full = _start == _end && (_end = _compressed.Read(_buffer, _start = 0, _buffer.Length)) == 0;
            if (full && !_inFrame)
                return 0;
            fixed (byte* input = _buffer, output = buffer)
            {
                var from = new Zstd.Piece { Bytes = input, Size = (nuint)_end, Position = (nuint)_start };
                var to = new Zstd.Piece { Bytes = output, Size = (nuint)buffer.Length };
                var left = Check(Zstd.ZSTD_decompressStream(_context, &to, &from));
                _start = (int)from.Position;
                _inFrame = left != 0;
                if (to.Position > 0)
                    return (int)to.Position;
                if (full)
                    throw Decompression.CutShort("zstd");
            }
        }
    }

    protected override void Dispose(bool disposing)
    {
        Zstd.ZSTD_freeDCtx(_context);
        _context = 0;
        if (disposing)
            _compressed.Dispose();
        base.Dispose(disposing);
    }

    private static nuint Check(nuint code) =>
        Zstd.ZSTD_isError(code) == 0 ? code : throw new ImageException("invalid zstd data: " + Zstd.Describe(code).ToLowerInvariant());
}
