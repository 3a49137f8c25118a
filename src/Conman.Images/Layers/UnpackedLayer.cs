// What unpacking a layer found out about it.

namespace Conman.Images.Layers;

/// <summary>A layer whose files are written.</summary>
/// <param name="DiffId">The digest of the uncompressed archive.</param>
/// <param name="Size">Bytes of file data.</param>
/// <param name="Entries">Members of the archive.</param>
/// <param name="ImpliedDirectories">Directories without a member of their own, parents first, the top as an empty path: they should be as in the layers below.</param>
public sealed record UnpackedLayer(Digest DiffId, long Size, long Entries, IReadOnlyList<byte[]> ImpliedDirectories);
