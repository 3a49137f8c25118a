// A container's root file system: a detached mount. Nothing of it is ever attached in the host's namespace, so nothing of it can be left there.

using Conman.Engine.Store;
using Conman.Images;
using Conman.Images.Store;
using Conman.Linux;

namespace Conman.Engine.Rootfs;

public static class RootFileSystem
{
    /// <summary>What overlayfs writes to, and what it needs to do so, in the container's folder.</summary>
    public const string Upper = "diff", Work = "work";

    /// <summary>Makes the folders for what the container will write.</summary>
    public static void Prepare(Container container, ImageStore images)
    {
        if (container.NeedRecord().Layers is not { } layers)
            return;
        // The upper directory stands for the root of all: it begins as that of the image.
        var mode = 0x1edu /* 0755 */;
        var (uid, gid) = (0u, 0u);
        if (layers.Count > 0)
        {
            using var top = images.Layers.OpenDiff(Digest.Parse(layers[^1]));
            var status = Files.Status(top, "the image's root");
            (mode, uid, gid) = (status.Permissions, status.Uid, status.Gid);
        }
        Make(container, Upper, mode);
        if ((uid | gid) != 0 && Files.TryChangeOwner(container.Folder.Number, Upper, uid, gid) is var errno and not 0)
            throw new LinuxException(errno, $"give {container.Path}/{Upper} to {uid}:{gid}");
        Make(container, Work, 0x1c0 /* 0700 */);
    }

    /// <summary>Mounts it, detached: an overlay over the image's layers, or a copy of the folder that the user named.</summary>
    /// <param name="lasting">What is written is to outlast this mount, though the container will not outlast its end.</param>
    public static FileDescriptor Mount(Container container, ImageStore images, bool lasting = false)
    {
        var record = container.NeedRecord();
        if (record.Rootfs is { } rootfs)
        {
            return Mounts.TryCloneTree(rootfs, recursive: true, out var errno)
                ?? throw new EngineException($"cannot open root file system {rootfs}: {LinuxException.Describe(errno)}");
        }
        if (ContainerMounts.TryClone(container) is { } mounted)
            return mounted;
        var options = new List<(string, string)>(record.Layers!.Count + 8) { ("source", "overlay") };
        var open = new List<FileDescriptor>(record.Layers.Count + 2);
        try
        {
            // By descriptors: no path of the host shows in the container's mounts. The uppermost first.
            for (var i = record.Layers.Count - 1; i >= 0; i--)
                options.Add(("lowerdir+", Name(images.Layers.OpenDiff(Digest.Parse(record.Layers[i])))));
            if (record.Layers.Count == 0)
                options.Add(("lowerdir+", Name(Empty(container))));
            options.Add(("upperdir", Name(Open(container, Upper))));
            options.Add(("workdir", Name(Open(container, Work))));
            // What the upper layer holds must be whole in itself: it may become a layer of an image.
            options.Add(("metacopy", "off"));
            options.Add(("redirect_dir", "off"));
            options.Add(("index", "off"));
            if (container.Transient && !lasting)
                options.Add(("volatile", "")); // it need not outlast a power cut, so it is never synced (overlayfs.rst, "Volatile mount")
            return TryMount(options, out var errno) ?? throw new EngineException($"cannot mount the root file system of container {container.ShortId}: {LinuxException.Describe(errno)}");
        }
        finally
        {
            foreach (var descriptor in open)
                descriptor.Dispose();
        }

        string Name(FileDescriptor descriptor)
        {
            open.Add(descriptor);
            return "/proc/self/fd/" + descriptor.Number;
        }
    }

    private static FileDescriptor? TryMount(List<(string Key, string Value)> options, out int errno)
    {
        var mount = Mounts.TryCreate("overlay", options.ToArray(), out errno);
        if (mount is not null || errno != Errno.EINVAL)
            return mount;
        // Before Linux 6.5 the lower directories are one option, of at most 255 bytes.
        var lowers = string.Join(':', options.FindAll(o => o.Key == "lowerdir+").ConvertAll(o => o.Value));
        if (lowers.Length > 255)
            throw new EngineException("cannot put so many layers together: that needs Linux 6.5");
        return Mounts.TryCreate("overlay", [("lowerdir", lowers), .. options.FindAll(o => o.Key != "lowerdir+")], out errno);
    }

    private static FileDescriptor Open(Container container, string name) => Files.Open(name, OpenFlags.Path | Files.Directory | Files.NoFollow, container.Folder.Number);

    // An image may have no layers at all; overlayfs wants one.
    private static FileDescriptor Empty(Container container)
    {
        Make(container, "empty", 0x1ed /* 0755 */);
        return Open(container, "empty");
    }

    private static void Make(Container container, string name, uint mode)
    {
        var errno = Files.TryMakeDirectory(name, mode, container.Folder.Number);
        if (errno is not (0 or Errno.EEXIST))
            throw new LinuxException(errno, $"make directory {container.Path}/{name}");
    }
}
