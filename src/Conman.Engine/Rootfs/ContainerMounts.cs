// Mounting a container's root file system where the host can see it: `conman mount`. Without its volumes, and with neither devices nor set-id
// programs for the host.

using Conman.Engine.Contents;
using Conman.Engine.Store;
using Conman.Images.Store;
using Conman.Linux;

namespace Conman.Engine.Rootfs;

/// <summary>The folder <c>merged</c> of a container, a mount point while somebody looks.</summary>
public static class ContainerMounts
{
    private const string Point = "merged";

    private const MountAttributes Attributes = MountAttributes.NoSuid | MountAttributes.NoDev;

    /// <summary>Mounts the root of a locked container, unless it is; where.</summary>
    public static string Mount(Container container, ImageStore images)
    {
        var path = PathOf(container);
        if (IsMounted(container))
            return path;
        var errno = Files.TryMakeDirectory(Point, 0x1c0 /* 0700 */, container.Folder.Number);
        if (errno is not (0 or Errno.EEXIST))
            throw new LinuxException(errno, $"make directory {path}");
        using var tree = container.Init is { } init ? CloneOf(init) : RootFileSystem.Mount(container, images, lasting: true);
        errno = Mounts.TrySetAttributes(tree, recursive: false, Attributes, MountAttributes.None, Propagation.Private);
        using var point = Files.Open(Point, OpenFlags.Path | Files.Directory | Files.NoFollow, container.Folder.Number);
        if (errno == 0)
            errno = Mounts.TryAttach(tree, point);
        return errno == 0 ? path : throw new LinuxException(errno, $"mount container {container.ShortId} on {path}");
    }

    /// <summary>Takes that mount away; false if there is none. A container that runs has its own.</summary>
    public static bool Unmount(Container container)
    {
        if (!Files.Exists(Point, container.Folder.Number))
            return false;
        var path = PathOf(container);
        var mounted = IsMounted(container);
        if (mounted && Mounts.TryDetach(path) is var errno and not 0)
            throw new LinuxException(errno, $"unmount {path}");
        Files.TryRemoveDirectory(Point, container.Folder.Number);
        return mounted;
    }

    /// <summary>Whether it is mounted.</summary>
    public static bool IsMounted(Container container) => Files.Exists(Point, container.Folder.Number) && Files.MountPointOf(PathOf(container)) == PathOf(container);

    /// <summary>Where, if it is.</summary>
    public static string PathOf(Container container) => container.Path + "/" + Point;

    /// <summary>A detached copy of that mount, for a container that is to start: two overlays over one upper directory would not see what the other writes. Null: there is none.</summary>
    internal static FileDescriptor? TryClone(Container container)
    {
        if (!IsMounted(container))
            return null;
        var tree = Mounts.TryCloneTree(Point, recursive: false, out var errno, container.Folder.Number) ?? throw new LinuxException(errno, $"open {PathOf(container)}");
        errno = Mounts.TrySetAttributes(tree, recursive: false, MountAttributes.None, Attributes);
        return errno == 0 ? tree : throw new LinuxException(errno, $"prepare {PathOf(container)}");
    }

    // It is mounted in its own namespace only; a copy is taken there, and needs no namespace.
    private static FileDescriptor CloneOf((int Pid, ulong StartTime) init)
    {
        using var root = ContainerRoot.OpenRoot(init);
        using var mounts = Files.Open($"/proc/{init.Pid}/ns/mnt", OpenFlags.ReadOnly);
        if (Processes.StartTime(init.Pid) != init.StartTime)
            throw new EngineException("the container has ended just now");
        return OwnThread.Run(() =>
        {
            Mounts.EnterNamespace(mounts);
            return Mounts.TryCloneTree("/", recursive: false, out var errno) ?? throw new LinuxException(errno, "open the container's root file system");
        });
    }
}
