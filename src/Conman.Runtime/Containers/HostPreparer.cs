// Opens what a plan needs of the host. After this, nobody resolves a path of the host for the container again.

using Conman.Linux;
using Conman.Runtime.Plans;

namespace Conman.Runtime.Containers;

/// <summary>The open descriptors behind a plan's host handles; disposing closes them.</summary>
internal sealed class HostPreparer : IDisposable
{
    private const long ProcMagic = 0x9fa0;

    private readonly List<FileDescriptor> _open = [];

    /// <summary>The descriptors that the new process must keep.</summary>
    public List<int> Numbers { get; } = [];

    /// <summary>Hands over a descriptor that was opened elsewhere; takes ownership.</summary>
    public void Give(HostHandle handle, FileDescriptor descriptor)
    {
        _open.Add(descriptor);
        handle.Descriptor = descriptor.Number;
        if (!handle.StaysOutside)
            Numbers.Add(descriptor.Number);
    }

    /// <summary>Hands over a tree that was made elsewhere, detached, and prepares it as its handle says; takes ownership.</summary>
    public void Take(HostTree tree, FileDescriptor descriptor) => Give(tree, Prepared(tree, descriptor));

    /// <summary>The open descriptor of a handle.</summary>
    public FileDescriptor Opened(HostHandle handle) => _open.Find(d => d.Number == handle.Descriptor)!;

    /// <summary>Opens everything that is not open yet.</summary>
    public void Open(Plan plan)
    {
        foreach (var handle in plan.Preparations)
        {
            if (handle.Descriptor >= 0)
                continue;
            Give(handle, handle switch
            {
                { Inside: true } => KeepNumber(handle),
                HostTree { Overlay: { } overlay } tree => MakeOverlay(tree, overlay),
                HostTree { Device: { Made: true } device } tree => Prepared(tree, MakeDevice(tree.Path, device)),
                HostTree tree => OpenTree(tree),
                MappingNamespace mapping => MakeMapping(mapping),
                EmptyDirectory => Mounts.CreateEmptyDirectory(),
                NullDevice => OpenNull(),
                HostProc proc => OpenProc(proc),
                LandlockRuleset ruleset => ruleset.Open(),
                HostNamespace ns => Files.Open(ns.Path, OpenFlags.ReadOnly),
                _ => throw new InvalidOperationException($"{handle.Describe()} was not given"),
            });
        }
    }

    /// <summary>Prepares the tree that a process holds at <see cref="SyncPoint.Copied"/>.</summary>
    public static void Prepare(InitProcess process)
    {
        using var held = Processes.Descriptor(process.Process.Descriptor, process.Held);
        SetAttributes(process.At!.Tree!, held);
    }

    public void Dispose()
    {
        foreach (var descriptor in _open)
            descriptor.Dispose();
    }

    // Any descriptor will do: the new process puts its own in the place of it. One of the path itself tells here and now whether there is one.
    private static FileDescriptor KeepNumber(HostHandle handle)
    {
        if (handle is not HostTree tree)
            return Null();
        if (tree.IdMap is not null || tree.Overlay is not null)
            throw new RuntimeException($"cannot make {tree.Describe()}: an ordinary user may not");
        if (tree.CopyLink && Files.TryReadLink(tree.Path) is { } link)
        {
            tree.Link = link;
            return Files.Open(tree.Path, OpenFlags.Path | Files.NoFollow);
        }
        var fd = Files.TryOpen(tree.Path, OpenFlags.Path | (tree.Follow ? 0 : Files.NoFollow), out var errno)
            ?? throw new RuntimeException($"cannot open {tree.Path}: {LinuxException.Describe(errno)}");
        var status = Files.Status(fd, tree.Path);
        tree.IsDirectory = status.Type == FileType.Directory;
        RequireDevice(tree, status, fd);
        return fd;
    }

    private static FileDescriptor OpenTree(HostTree tree)
    {
        if (tree.CopyLink && Files.TryReadLink(tree.Path) is { } link)
        {
            tree.Link = link;
            return Files.Open(tree.Path, OpenFlags.Path | Files.NoFollow);
        }
        var fd = Mounts.TryCloneTree(tree.Path, tree.Recursive, out var errno, follow: tree.Follow)
            ?? (errno == Errno.EINVAL ? OwnDescriptor(tree.Path) : null)
            ?? throw new RuntimeException($"cannot open {tree.Path}: {LinuxException.Describe(errno)}");
        var status = Files.Status(fd, tree.Path);
        tree.IsDirectory = status.Type == FileType.Directory;
        RequireDevice(tree, status, fd);
        if (tree.MustBeProc && Files.FileSystemType(fd, tree.Path) != ProcMagic)
        {
            fd.Dispose();
            throw new RuntimeException($"cannot mount {tree.Path}: \"/proc\" cannot be mounted because it is not of type proc");
        }

        return Prepared(tree, fd);
    }

    // Before Linux 6.15 what is attached nowhere cannot be copied. It need not be: whoever names a descriptor of his has nothing else to do with it.
    private static FileDescriptor? OwnDescriptor(string path) =>
        path.StartsWith("/proc/self/fd/", StringComparison.Ordinal) && int.TryParse(path.AsSpan("/proc/self/fd/".Length), out var number) ? Files.Duplicate(number) : null;

    private static void RequireDevice(HostTree tree, FileStatus status, FileDescriptor fd)
    {
        if (tree.Device is not { } device || (status.Type == device.Type && status.DeviceMajor == device.Major && status.DeviceMinor == device.Minor))
            return;
        fd.Dispose();
        throw new RuntimeException($"cannot bind {tree.Path}: on this host it is not the device {device.Describe()}");
    }

    // open_tree(2) copies only what is mounted (Linux 6.15 does more): so the node lies on a tmpfs that is mounted where nobody else sees it.
    private static FileDescriptor MakeDevice(string path, DeviceNode device) => OwnThread.Run(() =>
    {
        Mounts.LeaveNamespace();
        using var root = Files.Open("/", OpenFlags.Path | Files.Directory);
        using var system = Mounts.TryCreate("tmpfs", [("mode", "0700")], out var errno);
        if (system is not null && (errno = Mounts.TryAttach(system, root)) == 0
            && (errno = Nodes.TryMakeNode(system.Number, "node\0"u8, device.Type, device.Mode, device.Major, device.Minor)) == 0
            && (errno = Nodes.TryChangeOwner(system.Number, "node\0"u8, device.Uid, device.Gid)) == 0
            && (errno = Nodes.TryChangeMode(system.Number, "node\0"u8, device.Mode)) == 0 // whatever the umask is
            && Mounts.TryCloneTree("node", false, out errno, system.Number, follow: false) is { } made)
        {
            return made;
        }
        throw new RuntimeException($"cannot make device {path} ({device.Describe()}): {LinuxException.Describe(errno)}");
    });

    private static FileDescriptor Prepared(HostTree tree, FileDescriptor fd)
    {
        try
        {
            SetAttributes(tree, fd);
            return fd;
        }
        catch
        {
            fd.Dispose();
            throw;
        }
    }

    private static void SetAttributes(HostTree tree, FileDescriptor fd)
    {
        var errno = 0;
        foreach (var (recursive, set, clear, propagation) in tree.AttributeCalls())
        {
            if (errno == 0)
                errno = Mounts.TrySetAttributes(fd, recursive, set, clear, propagation);
        }
        if (errno == 0 && tree.IdMap is not null)
        {
            errno = Mounts.TrySetAttributes(fd, tree.IdMapRecursive, MountAttributes.IdMap, MountAttributes.None, userNamespace: tree.IdMap.Descriptor);
            if (errno == Errno.EINVAL)
                throw new RuntimeException($"cannot id-map {tree.Path}: {LinuxException.Describe(errno)} (its file system does not support id-mapped mounts on this kernel)");
        }
        if (errno != 0)
            throw new RuntimeException($"cannot prepare {tree.Describe()}: {LinuxException.Describe(errno)}");
    }

    // The layers are named by descriptors of this process, so no path of the host shows in the container's mounts. The upper layer's folder
    // stands for the root of both: it begins as a copy of the lower one's.
    private static FileDescriptor MakeOverlay(HostTree tree, RootOverlay overlay)
    {
        using var lower = Files.TryOpen(tree.Path, OpenFlags.ReadOnly | Files.Directory, out var errno)
            ?? throw new RuntimeException(errno == Errno.ENOTDIR ? $"root.path: {tree.Path} is not a directory" : $"cannot open {tree.Path}: {LinuxException.Describe(errno)}");
        using var home = overlay.Folder is { } path
            ? Files.TryOpen(path, OpenFlags.ReadOnly | Files.Directory, out errno) ?? throw new RuntimeException($"{RootOverlay.Annotation}: cannot open {path}: {LinuxException.Describe(errno)}")
            : Mounts.TryCreate("tmpfs", [("mode", "0700"), .. overlay.Size is { } size ? [("size", size)] : ((string, string)[])[]], out errno)
                ?? throw new RuntimeException($"{RootOverlay.Annotation}: cannot make a tmpfs of size {overlay.Size ?? "50%"}: {LinuxException.Describe(errno)}");
        using var upper = Folder(home, "upper", lower);
        using var work = Folder(home, "work", null);
        var fd = Mounts.TryCreate("overlay",
            [("source", "overlay"), ("lowerdir", "/proc/self/fd/" + lower.Number), ("upperdir", "/proc/self/fd/" + upper.Number), ("workdir", "/proc/self/fd/" + work.Number)],
            out errno);
        if (fd is not null)
            return Prepared(tree, fd);
        var why = errno == Errno.EINVAL && overlay.Folder is null ? " (an overlay on a tmpfs of its own needs Linux 6.15)" : "";
        throw new RuntimeException($"cannot make {tree.Describe()}: {LinuxException.Describe(errno)}{why}");

        static FileDescriptor Folder(FileDescriptor home, string name, FileDescriptor? like)
        {
            var errno = Files.TryMakeDirectory(name, 0x1ed /* 0755 */, home.Number);
            if (errno is not (0 or Errno.EEXIST))
                throw new RuntimeException($"{RootOverlay.Annotation}: cannot make {name}: {LinuxException.Describe(errno)}");
            var folder = Files.Open(name, OpenFlags.ReadOnly | Files.Directory | Files.NoFollow, home.Number);
            if (errno == 0 && like is not null)
                TreeCopy.Attributes(like, folder, "root.path");
            return folder;
        }
    }

    // A user namespace needs a process until it has a descriptor: conman-init waits in it for a word that never comes.
    private static FileDescriptor MakeMapping(MappingNamespace mapping)
    {
        var plan = new Plan { New = Namespaces.User };
        plan.Add(new Gate());
        using var process = InitProcess.Start(plan, [], null, null, (-1, -1, -1));
        try
        {
            IdMaps.Write(process.Process.Pid, mapping.Uids, mapping.Gids);
            return Files.Open("/proc/" + process.Process.Pid + "/ns/user", OpenFlags.ReadOnly);
        }
        finally
        {
            process.Process.TrySignal(Signals.SIGKILL);
            process.Process.Wait();
        }
    }

    private static FileDescriptor OpenNull() => Verified(
        Mounts.TryCloneTree("/dev/null", false, out var errno, follow: false)
            ?? throw new RuntimeException($"cannot open /dev/null: {LinuxException.Describe(errno)}"));

    private static FileDescriptor Null() => Verified(Files.Open("/dev/null", OpenFlags.Path | Files.NoFollow));

    // Whatever lies at /dev/null, only the real one may cover a file (CVE-2025-31133).
    private static FileDescriptor Verified(FileDescriptor fd)
    {
        if (Files.Status(fd, "/dev/null") is { Type: FileType.CharacterDevice, DeviceMajor: 1, DeviceMinor: 3 })
            return fd;
        fd.Dispose();
        throw new RuntimeException("cannot mask files: /dev/null is not the null device");
    }

    private static FileDescriptor OpenProc(HostProc proc)
    {
        var fd = Files.Open(proc.Path, OpenFlags.Path | Files.Directory);
        if (Files.FileSystemType(fd, proc.Path) == ProcMagic)
            return fd;
        fd.Dispose();
        throw new RuntimeException($"cannot write kernel settings: {proc.Path} is not a procfs");
    }
}
