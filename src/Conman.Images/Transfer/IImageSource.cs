// Where an image comes from: a registry, an archive, a folder.

using Conman.Images.Registry;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Transfer;

/// <summary>A document, and what it says it is.</summary>
public sealed record Document(Descriptor Descriptor, byte[] Content);

/// <summary>Somewhere that has documents and blobs by their digests. Used by several threads at a time.</summary>
public interface IImageSource
{
    /// <summary>What the image's name stands for now, without its content where that is cheaper; null if the source cannot tell.</summary>
    Digest? CurrentDigest();

    /// <summary>What the image's name stands for: a manifest or an index. The pull verifies it.</summary>
    Document Root();

    /// <summary>A manifest or an index by its descriptor, no longer than <see cref="Store.BlobStore.LongestDocument"/>. The pull verifies it.</summary>
    byte[] Manifest(Descriptor descriptor);

    /// <summary>Hands the bytes of a blob to the sink, from <see cref="IBlobSink.Written"/> on where it can; the sink verifies them.</summary>
    void Download(Descriptor blob, IBlobSink sink);
}
