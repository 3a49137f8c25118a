// An image's documents, read from the store and verified.

using Conman.Oci;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Store;

public static class ImageDocuments
{
    /// <summary>The configuration of a recorded image.</summary>
    public static Image Image(ImageStore store, ImageRecord record) => Read(store, record, record.Config!, Oci.ImageSpec.Image.Parse);

    /// <summary>The manifest of a recorded image.</summary>
    public static Manifest Manifest(ImageStore store, ImageRecord record) => Read(store, record, record.Manifest!, Oci.ImageSpec.Manifest.Parse);

    /// <summary>The chain ids of an image's layers, the lowest first.</summary>
    public static Digest[] ChainIds(Image image) => LayerStore.ChainIds((image.Rootfs?.DiffIds ?? []).ConvertAll(Digest.Parse));

    private delegate T Parser<T>(ReadOnlySpan<byte> json);

    private static T Read<T>(ImageStore store, ImageRecord record, Descriptor descriptor, Parser<T> parse)
    {
        try
        {
            return parse(store.Blobs.ReadDocument(descriptor));
        }
        catch (Exception e) when (e is OciFormatException or ImageException)
        {
            throw new ImageException($"image {record.Name} is damaged ({e.Message}): run 'conman image check --repair'", e);
        }
    }
}
