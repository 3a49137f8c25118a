// Reads gzip (RFC 1952): any number of members, whole ones, and nothing else. The framework's GZipStream takes an end that is missing for an end,
// and leaves alone what follows.

using System.Runtime.InteropServices;

namespace Conman.Images.Compression;

internal sealed unsafe class GzipReader(Stream compressed) : ReadOnlyStream
{
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(128 << 10);
    private Zlib.ZStream* _zlib = (Zlib.ZStream*)NativeMemory.AllocZeroed((nuint)sizeof(Zlib.ZStream)); // zlib keeps its address
    private int _start, _end;
    private bool _inMember;

    public override int Read(Span<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(_zlib is null, this);
        while (!buffer.IsEmpty)
        {
            var ended = _start == _end && (_end = compressed.Read(_buffer, _start = 0, _buffer.Length)) == 0;
            if (ended && !_inMember)
                return 0;
            if (!_inMember && Zlib.CompressionNative_InflateInit2_(_zlib, Zlib.GzipOnly) != Zlib.Ok)
                throw new ImageException("cannot decompress: out of memory");
            _inMember = true;
            fixed (byte* input = _buffer, output = buffer)
            {
                _zlib->NextIn = input + _start;
                _zlib->AvailableIn = (uint)(_end - _start);
                _zlib->NextOut = output;
                _zlib->AvailableOut = (uint)buffer.Length;
                var result = Zlib.CompressionNative_Inflate(_zlib, Zlib.NoFlush);
                if (result is not (Zlib.Ok or Zlib.StreamEnd or Zlib.BufferError))
                    throw new ImageException("invalid gzip data");
                _start = _end - (int)_zlib->AvailableIn;
                if (result == Zlib.StreamEnd)
                    EndMember();
                if (_zlib->AvailableOut < buffer.Length)
                    return buffer.Length - (int)_zlib->AvailableOut;
                if (ended && _inMember)
                    throw Decompression.CutShort("gzip");
            }
        }
        return 0;
    }

    protected override void Dispose(bool disposing)
    {
        if (_zlib is not null)
        {
            EndMember();
            NativeMemory.Free(_zlib);
            _zlib = null;
        }
        if (disposing)
            compressed.Dispose();
        base.Dispose(disposing);
    }

    private void EndMember()
    {
        if (_inMember)
            Zlib.CompressionNative_InflateEnd(_zlib);
        _inMember = false;
    }
}
