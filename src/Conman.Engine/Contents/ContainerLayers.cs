// What a container's files are made of: what it wrote, over the image's layers. Read as they lie on the disk; overlayfs may be at work on the
// uppermost meanwhile.

using System.Text;
using Conman.Engine.Rootfs;
using Conman.Engine.Store;
using Conman.Images;
using Conman.Linux;

namespace Conman.Engine.Contents;

/// <summary>The open directories, the uppermost first: the container's own, then the image's.</summary>
public sealed class ContainerLayers : List<FileDescriptor>, IDisposable
{
    // What a start puts into every root file system that has no such thing, to mount on. They are no part of what the container wrote.
    private static readonly string[] MountPoints = ["etc/hosts", "etc/hostname", "etc/resolv.conf"];
    private static readonly string[] MountFolders = ["dev", "proc", "sys"];

    private ContainerLayers()
    {
    }

    /// <summary>Opens them.</summary>
    /// <exception cref="EngineException">It has a root file system of the user's own: there are no layers.</exception>
    public static ContainerLayers Open(ContainerEngine engine, Container container)
    {
        if (container.NeedRecord().Layers is not { } chain)
            throw new EngineException($"container {container.ShortId} has no image: all of its files are in {container.Record!.Rootfs}");
        var layers = new ContainerLayers();
        try
        {
            layers.Add(Files.Open(RootFileSystem.Upper, OpenFlags.ReadOnly | Files.Directory | Files.NoFollow, container.Folder.Number));
            for (var i = chain.Count - 1; i >= 0; i--)
                layers.Add(engine.Images.Layers.OpenDiff(Digest.Parse(chain[i])));
            return layers;
        }
        catch
        {
            layers.Dispose();
            throw;
        }
    }

    /// <summary>Whether a path, without a slash before it, is only there to be mounted on.</summary>
    public static bool IsMountPoint(byte[] path, NodeStatus status) => status.File switch
    {
        { Type: FileType.Regular, Size: 0 } => Array.Exists(MountPoints, p => path.AsSpan().SequenceEqual(Encoding.UTF8.GetBytes(p))),
        { Type: FileType.Directory } => Array.Exists(MountFolders, p => path.AsSpan().SequenceEqual(Encoding.UTF8.GetBytes(p))),
        _ => false,
    };

    public void Dispose()
    {
        foreach (var layer in this)
            layer.Dispose();
    }
}
