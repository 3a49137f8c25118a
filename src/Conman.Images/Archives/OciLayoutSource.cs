// An image in an OCI layout (image-spec image-layout.md), in a folder or an archive.

using Conman.Images.Registry;
using Conman.Images.Transfer;
using Conman.Oci;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Archives;

/// <summary>One image of a layout.</summary>
public sealed class OciLayoutSource(IFileSet files, Descriptor root) : IImageSource
{
    // What says an image's name: Docker's and containerd's word is a whole reference, the standard's may be only a tag.
    internal const string ContainerdName = "io.containerd.image.name", StandardName = "org.opencontainers.image.ref.name";

    /// <summary>The images that a layout has: each by its descriptor, with its name if it has one.</summary>
    public static List<(Descriptor Root, string? Name)> Images(IFileSet files)
    {
        ImageIndex index;
        try
        {
            index = ImageIndex.Parse(files.ReadDocument("index.json"));
        }
        catch (OciFormatException e)
        {
            throw new ImageException($"{files.Name}: index.json is damaged: {e.Message}", e);
        }
        return (index.Manifests ?? []).ConvertAll(manifest => (manifest, NameOf(manifest)));
    }

    public static bool IsLayout(IFileSet files) => files.Size("oci-layout") is not null && files.Size("index.json") is not null;

    public Digest? CurrentDigest() => Digest.Parse(root.Digest);

    public Document Root() => new(root, Manifest(root));

    public byte[] Manifest(Descriptor descriptor) => files.ReadDocument(Digest.Parse(descriptor.Digest).BlobPath);

    public void Download(Descriptor blob, IBlobSink sink) => files.CopyTo(Digest.Parse(blob.Digest).BlobPath, sink);

    private static string? NameOf(Descriptor manifest) =>
        manifest.Annotations is null ? null
        : manifest.Annotations.TryGetValue(ContainerdName, out var whole) ? whole
        : manifest.Annotations.TryGetValue(StandardName, out var name) ? name
        : null;
}
