// Mounting an image to look into it: all its layers, read-only, at a folder of the store.

using Conman.Linux;

namespace Conman.Images.Store;

/// <summary>The folder <c>mounts</c>: a mount point for each image that is mounted.</summary>
public static class ImageMounts
{
    /// <summary>Mounts an image, unless it is; where.</summary>
    public static string Mount(ImageStore store, FoundImage image)
    {
        var path = PathOf(store, image.Id);
        Files.MakeDirectories(path, 0x1c0 /* 0700 */);
        if (IsMounted(path))
            return path;
        using var directory = Files.Open(path, OpenFlags.Path | Files.Directory);
        using var mount = Stack(store, ImageDocuments.ChainIds(ImageDocuments.Image(store, image.Record)));
        var errno = Mounts.TryAttach(mount, directory);
        return errno == 0 ? path : throw new LinuxException(errno, $"mount image {image.Id.Short} on {path}");
    }

    /// <summary>Unmounts an image; false if it was not mounted.</summary>
    public static bool Unmount(ImageStore store, Digest id)
    {
        var path = PathOf(store, id);
        var mounted = IsMounted(path);
        if (mounted && Mounts.TryDetach(path) is var errno and not 0)
            throw new LinuxException(errno, $"unmount {path}");
        Files.TryRemoveDirectory(path);
        return mounted;
    }

    /// <summary>The ids of the images that are mounted, and where.</summary>
    public static IEnumerable<(Digest Id, string Path)> All(ImageStore store)
    {
        using var folder = Files.TryOpen("mounts", OpenFlags.ReadOnly | Files.Directory, out _, store.Root.Number);
        foreach (var hex in folder is null ? [] : Files.List(folder, "mounts"))
        {
            if (Digest.TryParse("sha256:" + hex, out var id) && IsMounted(PathOf(store, id)))
                yield return (id, PathOf(store, id));
        }
    }

    /// <summary>A detached, read-only mount of a stack of layers: the one layer itself, or an overlay (Documentation/filesystems/overlayfs.rst).</summary>
    /// <param name="chain">Chain ids, the lowest first; one at least.</param>
    public static FileDescriptor Stack(ImageStore store, Digest[] chain)
    {
        if (chain.Length == 0)
            throw new ImageException("the image has no layers, and so nothing to mount");
        chain = store.Layers.Visible(chain);
        const MountAttributes Attributes = MountAttributes.ReadOnly | MountAttributes.NoSuid | MountAttributes.NoDev;
        FileDescriptor? mount;
        int errno;
        if (chain.Length == 1)
        {
            using var only = store.Layers.OpenDiff(chain[0]);
            mount = Mounts.TryCloneTree("", recursive: false, out errno, only.Number);
        }
        else
        {
            // The uppermost first, each by itself: paths would not fit into the one page that a mount's options may take.
            var options = chain.Reverse().Select(id => ("lowerdir+", $"{store.Path}/layers/{id.Hex}/diff")).ToArray();
            mount = Mounts.TryCreate("overlay", options, out errno);
        }
        if (mount is not null)
            errno = Mounts.TrySetAttributes(mount, recursive: false, Attributes, MountAttributes.None, Propagation.Private);
        return errno == 0 ? mount! : throw new LinuxException(errno, $"put {chain.Length} layers together");
    }

    private static string PathOf(ImageStore store, Digest id) => $"{store.Path}/mounts/{id.Hex}";

    private static bool IsMounted(string path) => Files.Exists(path) && Files.MountPointOf(path) == path;
}
