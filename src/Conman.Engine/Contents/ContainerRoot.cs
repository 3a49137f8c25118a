// A container's files as the container sees them, by a descriptor of its root: every path of it is resolved by the kernel within that root.
//
// Of one that runs it is the root of its first process, with all that is mounted there. Of one that does not the root file system is mounted,
// with its volumes, in a mount namespace that a thread has for itself: nobody else sees it, and it ends with the thread, however that ends.

using Conman.Engine.Life;
using Conman.Engine.Rootfs;
using Conman.Engine.Store;
using Conman.Engine.Volumes;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;

namespace Conman.Engine.Contents;

public static class ContainerRoot
{
    private const Resolve Inside = Resolve.InRoot | Resolve.NoMagicLinks;

    /// <summary>Opens a file of a root by its path there; null and errno on failure.</summary>
    public static FileDescriptor? TryOpen(FileDescriptor root, string path, OpenFlags flags, out int errno) => Files.TryOpenResolved(root.Number, path, flags, Inside, out errno);

    /// <summary>Does something with the root of a locked container. One that does not run stays locked, so that nobody starts it meanwhile; one that does is unlocked.</summary>
    /// <exception cref="EngineException">It cannot be mounted, or a source of its mounts is gone.</exception>
    public static T Use<T>(ContainerEngine engine, Container container, Func<FileDescriptor, T> act)
    {
        _ = container.NeedRecord();
        if (container.Init is { } init)
        {
            using var root = OpenRoot(init);
            Files.Unlock(container.Folder);
            return act(root);
        }
        Ending.Settle(engine, container);
        if (container is { Transient: true, State.StartedAt: not null })
            throw new NoSuchContainerException(container.ShortId); // it has ended, and that was all of it
        using var mount = RootFileSystem.Mount(container, engine.Images, lasting: true);
        using var volumes = VolumeMounts.Prepare(engine, container.Record!, mount);
        return OwnThread.Run(() =>
        {
            Mounts.LeaveNamespace();
            Attach(mount, engine.Root + "/names"); // any folder would do: it is covered for this thread alone
            foreach (var volume in volumes)
                Attach(mount, volume);
            foreach (var name in (ReadOnlySpan<string>)["hosts", "hostname", "resolv.conf"])
            {
                if (Files.Exists(name, container.Folder.Number))
                    Attach(mount, new Mount { Type = "bind", Source = container.Path + "/" + name, Destination = "/etc/" + name, Options = ["bind"] });
            }
            if (container.Record!.HostConfig!.ReadonlyRootfs)
                Check(Mounts.TrySetAttributes(mount, recursive: false, MountAttributes.ReadOnly, MountAttributes.None), "make the root file system read-only");
            return act(mount);
        });
    }

    /// <summary>The root of a process, in its mount namespace.</summary>
    internal static FileDescriptor OpenRoot((int Pid, ulong StartTime) process)
    {
        var root = Files.TryOpen($"/proc/{process.Pid}/root", OpenFlags.Path | Files.Directory, out var errno);
        if (root is not null && Processes.StartTime(process.Pid) == process.StartTime)
            return root;
        root?.Dispose();
        throw new EngineException($"the container has ended just now ({LinuxException.Describe(errno == 0 ? Errno.ESRCH : errno)})");
    }

    private static void Attach(FileDescriptor mount, string folder)
    {
        using var point = Files.Open(folder, OpenFlags.Path | Files.Directory);
        Check(Mounts.TryAttach(mount, point), "mount the root file system");
    }

    private static void Attach(FileDescriptor root, Mount mount)
    {
        var options = mount.Options ?? [];
        using var tree = mount.Type == "bind" || options.Contains("bind") || options.Contains("rbind")
            ? Mounts.TryCloneTree(mount.Source!, recursive: !options.Contains("bind"), out var errno) ?? throw new EngineException($"cannot open {mount.Source}: {LinuxException.Describe(errno)}")
            : Mounts.CreateEmptyDirectory(); // of another type: it is there only while the container runs
        if (options.Contains("ro") || options.Contains("rro"))
            Check(Mounts.TrySetAttributes(tree, recursive: options.Contains("rro"), MountAttributes.ReadOnly, MountAttributes.None), $"make {mount.Destination} read-only");
        using var point = OpenPoint(root, mount.Destination!, Files.Status(tree, mount.Destination!).Type == FileType.Directory);
        Check(Mounts.TryAttach(tree, point), $"mount {mount.Destination}");
    }

    // What a start would make as well: the folders that lead there, and a folder or a file to mount on.
    private static FileDescriptor OpenPoint(FileDescriptor root, string path, bool isDirectory)
    {
        if (TryOpen(root, path, OpenFlags.Path, out var errno) is { } present)
            return present;
        if (errno != Errno.ENOENT || path.Length <= 1)
            throw new EngineException($"cannot open {path} in the container: {LinuxException.Describe(errno)}");
        using (var parent = OpenPoint(root, Path.GetDirectoryName(path)!, isDirectory: true))
        {
            var name = Path.GetFileName(path);
            if (isDirectory)
                errno = Files.TryMakeDirectory(name, 0x1ed /* 0755 */, parent.Number);
            else
                Files.TryOpen(name, OpenFlags.WriteOnly | OpenFlags.Create | Files.NoFollow, out errno, parent.Number, 0x1a4 /* 0644 */)?.Dispose();
        }
        Check(errno, $"make {path} in the container");
        return TryOpen(root, path, OpenFlags.Path, out errno) ?? throw new EngineException($"cannot open {path} in the container: {LinuxException.Describe(errno)}");
    }

    private static void Check(int errno, string operation)
    {
        if (errno != 0)
            throw new LinuxException(errno, operation);
    }
}
