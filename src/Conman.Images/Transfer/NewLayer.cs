// A layer that is made here, from an archive of which nothing is known beforehand: what import and commit add to the store.

using Conman.Images.Compression;
using Conman.Images.Store;
using Conman.Linux;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Transfer;

/// <summary>A layer in the store, and the lease that keeps it there until a record names it.</summary>
public sealed class NewLayer : IDisposable
{
    private readonly Lease _lease;

    private NewLayer(Lease lease, Descriptor blob, Digest diffId, Digest chainId, long size) => (_lease, Blob, DiffId, ChainId, Size) = (lease, blob, diffId, chainId, size);

    public Descriptor Blob { get; }

    /// <summary>The digest of its uncompressed archive.</summary>
    public Digest DiffId { get; }

    public Digest ChainId { get; }

    /// <summary>Bytes of its files.</summary>
    public long Size { get; }

    public void Dispose() => _lease.Dispose();

    /// <summary>Unpacks an archive and stores both.</summary>
    /// <param name="archive">All of it, compressed or not.</param>
    /// <param name="below">The chain ids of the layers that it lies on, the lowest first.</param>
    /// <exception cref="ImageException">It is no layer.</exception>
    public static NewLayer Add(ImageStore store, NewBlob archive, IReadOnlyList<Digest> below, UnpackLayer unpack)
    {
        Span<byte> first = stackalloc byte[Decompression.MagicSize];
        var n = Storage.ReadAt(archive.File, first, 0, "the archive");
        var blob = archive.Describe(Decompression.Detect(first[..n]) switch
        {
            CompressionKind.Gzip => MediaTypes.LayerGzip,
            CompressionKind.Zstd => MediaTypes.LayerZstd,
            _ => MediaTypes.Layer,
        });
        using var making = store.Layers.Begin();
        using var diff = making.NewDiff();
        Files.Rewind(archive.File);
        var unpacked = unpack(diff, archive.File, archive.Size);
        making.ChainId = below.Count == 0 ? unpacked.DiffId : LayerStore.ChainId(below[^1], unpacked.DiffId);
        making.Complete(new LayerRecord
        {
            DiffId = unpacked.DiffId.ToString(),
            Parent = below.Count == 0 ? null : below[^1].ToString(),
            Blob = blob.Digest,
            Size = unpacked.Size,
            Entries = unpacked.Entries,
        });
        LayerMaking.CopyFromBelow(diff, unpacked.ImpliedDirectories, store.Layers.OpenDiffs(below));

        var lease = store.Leases.Take([Digest.Parse(blob.Digest), making.ChainId, .. below]);
        try
        {
            Storage.SyncFileSystem(store.Root, "the image store");
            archive.Publish();
            making.Publish();
            Storage.SyncFileSystem(store.Root, "the image store");
            return new NewLayer(lease, blob, unpacked.DiffId, making.ChainId, unpacked.Size);
        }
        catch
        {
            lease.Dispose();
            throw;
        }
    }
}
