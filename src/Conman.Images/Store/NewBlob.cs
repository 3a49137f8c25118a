// A blob that is made here: its digest is known when all of it has come, and until then it has no name that a killed command could leave behind.

using System.Security.Cryptography;
using Conman.Linux;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Store;

/// <summary>A file without a name in the store's file system.</summary>
public sealed class NewBlob : IDisposable
{
    private readonly BlobStore _store;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    internal NewBlob(BlobStore store)
    {
        _store = store;
        File = Files.Temporary(store.Ingest);
    }

    public FileDescriptor File { get; }

    /// <summary>Bytes so far.</summary>
    public long Size { get; private set; }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        Files.Write(File.Number, bytes, "a blob");
        _hash.AppendData(bytes);
        Size += bytes.Length;
    }

    /// <summary>A stream that is written to it, and does not end it.</summary>
    public Stream OpenWriter() => new Writer(this);

    /// <summary>What it is so far.</summary>
    public Descriptor Describe(string mediaType) => new() { MediaType = mediaType, Digest = Digest.Sha256(_hash.GetCurrentHash()).ToString(), Size = Size };

    /// <summary>Puts it in its place, if there is none like it; the caller has synced the file system, and syncs it again.</summary>
    public void Publish()
    {
        var digest = Digest.Sha256(_hash.GetCurrentHash());
        var errno = Files.TryPublish(File, _store.Folder(digest).Number, digest.Hex);
        if (errno is not (0 or Errno.EEXIST))
            throw new LinuxException(errno, $"make blob {digest}");
    }

    public void Dispose()
    {
        _hash.Dispose();
        File.Dispose();
    }

    private sealed class Writer(NewBlob blob) : Stream
    {
        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
        public override void Write(ReadOnlySpan<byte> buffer) => blob.Write(buffer);
        public override void Write(byte[] buffer, int offset, int count) => blob.Write(buffer.AsSpan(offset, count));
        public override void Flush() { }
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
