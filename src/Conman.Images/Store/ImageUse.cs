// Who uses images: what the store must know of containers, which it does not know.

namespace Conman.Images.Store;

/// <summary>A container, and what it is made from.</summary>
/// <param name="Container">As its user calls it.</param>
/// <param name="Image">The image's id.</param>
/// <param name="Layers">The chain ids of the layers that it lies on.</param>
/// <param name="IsRunning">Those layers are mounted now.</param>
public sealed record ImageUse(string Container, Digest Image, IReadOnlyList<Digest> Layers, bool IsRunning);
