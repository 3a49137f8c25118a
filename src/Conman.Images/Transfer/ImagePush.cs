// A push: every blob that the registry lacks, several at a time, then the manifest, by which they become an image.

using Conman.Images.References;
using Conman.Images.Registry;
using Conman.Images.Store;
using Conman.Linux;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Transfer;

/// <summary>Sends images from the store to a registry.</summary>
public sealed class ImagePush(ImageStore store, RegistryClient registry, ITransferProgress progress)
{
    private const int Parallel = 3;

    /// <summary>Pushes an image under a name; the manifest's descriptor.</summary>
    public Descriptor Run(ImageRecord record, ImageReference to)
    {
        var manifest = ImageDocuments.Manifest(store, record);
        List<Descriptor> blobs = [.. new[] { manifest.Config! }.Concat(manifest.Layers ?? []).DistinctBy(b => b.Digest)];
        if (blobs.Find(b => !store.Blobs.Contains(b)) is { } missing)
            throw new ImageException($"image {record.Name} lacks blob {missing.Digest}: run 'conman image check --repair', and pull it again");
        var items = blobs.ConvertAll(b => new TransferItem(Digest.Parse(b.Digest), b.Size));
        progress.Begin(items);
        // Where the registry may have them already: the repositories that this host's images with these blobs came from.
        var others = store.Images.All([]).Where(r => r.Repository != to.Name && !r.Repository.StartsWith('<')).Select(r => ImageReference.Parse(r.Repository)).DistinctBy(r => r.Name).ToList();
        new Workers(Parallel).Run(blobs.Count, i => Upload(to, blobs[i], items[i], others));
        registry.PutManifest(to, record.Manifest!.MediaType!, store.Blobs.ReadDocument(record.Manifest));
        return record.Manifest;
    }

    private void Upload(ImageReference to, Descriptor blob, TransferItem item, List<ImageReference> others)
    {
        item.State = TransferState.Uploading;
        progress.Update(item);
        var sent = registry.Upload(to, blob, offset => Open(blob, offset), others, bytes =>
        {
            item.Bytes = bytes;
            progress.Update(item);
        });
        item.State = sent ? TransferState.Done : TransferState.Exists;
        progress.Update(item);
    }

    private FileStream Open(Descriptor blob, long offset)
    {
        var stream = store.Blobs.Open(Digest.Parse(blob.Digest)).ToStream(FileAccess.Read);
        stream.Position = offset;
        return stream;
    }
}
