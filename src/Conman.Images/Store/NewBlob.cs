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
}
