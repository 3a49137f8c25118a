// How much a layer may unpack to.

namespace Conman.Images.Layers;

/// <summary>What ends the unpacking of a layer that is made to fill a disk.</summary>
/// <param name="Size">Bytes of its archive, and bytes of its files as they say they are, holes included.</param>
/// <param name="Entries">Members of its archive.</param>
public readonly record struct UnpackLimits(long Size, long Entries)
{
    private const long Least = 10L << 30, Factor = 200, MostEntries = 8_000_000;

    /// <summary>10 GiB, or 200 times what a larger layer is compressed: gzip makes at most 1,032 to 1, and honest layers 20 to 1.</summary>
    public static UnpackLimits For(long compressedSize) =>
        new(compressedSize > long.MaxValue / Factor ? long.MaxValue : Math.Max(Least, compressedSize * Factor), MostEntries);
}
