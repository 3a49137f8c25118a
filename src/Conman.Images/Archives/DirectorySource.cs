// An image in a folder as `skopeo copy … dir:` writes it: manifest.json as the registry had it, and a file for each digest.

using Conman.Images.Registry;
using Conman.Images.Transfer;
using Conman.Oci;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Archives;

/// <summary>The folder's one image.</summary>
public sealed class DirectorySource(IFileSet files) : IImageSource
{
    public static bool IsDirectory(IFileSet files) => files.Size("version") is not null && files.Size("manifest.json") is not null;

    public Digest? CurrentDigest() => null;

    public Document Root()
    {
        var content = files.ReadDocument("manifest.json");
        try
        {
            // What it is stands in it, or shows: an index has manifests.
            var index = ImageIndex.Parse(content);
            var type = index.MediaType ?? (index.Manifests is null ? MediaTypes.Manifest : MediaTypes.Index);
            return new Document(new Descriptor { MediaType = type, Digest = Digest.Of(content).ToString(), Size = content.Length }, content);
        }
        catch (OciFormatException e)
        {
            throw new ImageException($"{files.Name}: manifest.json is damaged: {e.Message}", e);
        }
    }

    public byte[] Manifest(Descriptor descriptor) => files.ReadDocument($"{Digest.Parse(descriptor.Digest).Hex}.manifest.json");

    public void Download(Descriptor blob, IBlobSink sink) => files.CopyTo(Digest.Parse(blob.Digest).Hex, sink);
}
