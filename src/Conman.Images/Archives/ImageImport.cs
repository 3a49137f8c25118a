// An image from the archive of a file system: one layer, and a configuration that is made for it.

using Conman.Images.Store;
using Conman.Images.Transfer;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Archives;

/// <summary>What an imported image is to be.</summary>
/// <param name="Name">Its canonical name with a tag; null: none.</param>
/// <param name="Message">Stands in its history.</param>
/// <param name="Config">What its containers start from.</param>
public sealed record ImportSettings(string? Name, string Message, ImageConfig Config, Platform Platform);

public static class ImageImport
{
    /// <summary>Makes the image.</summary>
    /// <param name="archive">A tar archive, compressed or not; it is stored as it is.</param>
    public static ImageRecord Run(ImageStore store, NewBlob archive, ImportSettings settings, UnpackLayer unpack)
    {
        using var layer = NewLayer.Add(store, archive, [], unpack);
        var created = ImageRecord.Now;
        var image = new Image
        {
            Created = created,
            Architecture = settings.Platform.Architecture,
            Variant = settings.Platform.Variant,
            Os = settings.Platform.Os,
            Config = settings.Config,
            Rootfs = new RootFs { Type = "layers", DiffIds = [layer.DiffId.ToString()] },
            History = [new History { Created = created, Comment = settings.Message }],
        };
        return NewImage.Record(store, settings.Name, image, [layer.Blob], layer.Size);
    }
}
