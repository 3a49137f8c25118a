// An image that is made here: its documents, and the record that makes it one.

using Conman.Oci.ImageSpec;

namespace Conman.Images.Store;

public static class NewImage
{
    /// <summary>Records an image whose layers are in the store, and leased.</summary>
    /// <param name="name">The canonical name with a tag; null: it has none.</param>
    /// <param name="layers">The layers' blobs, the lowest first.</param>
    /// <param name="size">Bytes of the files in all layers.</param>
    public static ImageRecord Record(ImageStore store, string? name, Image image, IReadOnlyList<Descriptor> layers, long size)
    {
        var configuration = image.ToUtf8(indented: false);
        var config = BlobStore.Describe(configuration, MediaTypes.Config);
        var content = new Manifest { SchemaVersion = 2, MediaType = MediaTypes.Manifest, Config = config, Layers = [.. layers] }.ToUtf8(indented: false);
        var manifest = BlobStore.Describe(content, MediaTypes.Manifest);
        using var lease = store.Leases.Take([Digest.Parse(config.Digest), Digest.Parse(manifest.Digest)]);
        store.Blobs.Write(config, configuration);
        store.Blobs.Write(manifest, content);
        var record = new ImageRecord
        {
            Name = name ?? $"{ImageRecords.Nameless}@{manifest.Digest}",
            Target = manifest,
            Manifest = manifest,
            Config = config,
            Created = image.Created,
            Size = size,
            Platform = Transfer.Platforms.Format(new Platform { Os = image.Os, Architecture = image.Architecture, Variant = image.Variant }),
            Tagged = ImageRecord.Now,
        };
        store.Images.Write(record);
        return record;
    }
}
