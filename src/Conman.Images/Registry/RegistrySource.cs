// An image in a registry, as a pull takes it.

using Conman.Images.References;
using Conman.Images.Transfer;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Registry;

/// <param name="reference">With a tag or a digest; a digest counts where there are both.</param>
public sealed class RegistrySource(RegistryClient client, ImageReference reference) : IImageSource
{
    public Digest? CurrentDigest() => reference.Digest ?? client.HeadManifest(reference);

    public Document Root() => client.GetManifest(reference);

    public byte[] Manifest(Descriptor descriptor) => client.GetManifest(reference, descriptor);

    public void Download(Descriptor blob, IBlobSink sink) => client.Download(reference, blob, sink);
}
