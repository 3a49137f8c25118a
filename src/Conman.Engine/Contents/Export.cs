// export: all files of a container as one archive, without its volumes.

using Conman.Engine.Store;
using Conman.Images.Layers;
using Conman.Linux;

namespace Conman.Engine.Contents;

public static class Export
{
    /// <summary>Writes the archive. A container that runs may change files meanwhile: each is then as it was at some moment.</summary>
    public static void Write(ContainerEngine engine, Container container, Stream archive)
    {
        if (container.NeedRecord().Rootfs is { } rootfs)
        {
            using var tree = Files.Open(rootfs, OpenFlags.ReadOnly | Files.Directory);
            LayerPacker.PackMerged([tree], archive, isLive: true);
        }
        else
        {
            using var layers = ContainerLayers.Open(engine, container);
            LayerPacker.PackMerged(layers, archive, isLive: true);
        }
        engine.Tell(container, "export");
    }
}
