// A stream that is hashed as it is read, and may not go on for ever.

using System.Security.Cryptography;
using Conman.Images.Compression;

namespace Conman.Images.Layers;

internal sealed class HashedStream(Stream stream, IncrementalHash hash, long limit) : ReadOnlyStream
{
    private long _read;

    public override int Read(Span<byte> buffer)
    {
        var n = stream.Read(buffer);
        hash.AppendData(buffer[..n]);
        _read += n;
        return _read <= limit ? n : throw new ImageException($"the layer unpacks to more than {limit} bytes");
    }

    /// <summary>What follows the end of the archive is part of what is hashed.</summary>
    public void ReadToEnd()
    {
        var buffer = GC.AllocateUninitializedArray<byte>(64 << 10);
        while (Read(buffer) > 0)
        {
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            stream.Dispose();
        base.Dispose(disposing);
    }
}
