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
        Numbers.Add(descriptor.Number);
    }

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
                HostTree tree => OpenTree(tree),
                EmptyDirectory => Mounts.CreateEmptyDirectory(),
                NullDevice => OpenNull(),
                HostProc proc => OpenProc(proc),
                HostNamespace ns => Files.Open(ns.Path, OpenFlags.ReadOnly),
                _ => throw new InvalidOperationException($"{handle.Describe()} was not given"),
            });
        }
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
        var fd = Files.TryOpen(tree.Path, OpenFlags.Path | (tree.Follow ? 0 : Files.NoFollow), out var errno)
            ?? throw new RuntimeException($"cannot open {tree.Path}: {LinuxException.Describe(errno)}");
        tree.IsDirectory = Files.Status(fd, tree.Path).Type == FileType.Directory;
        return fd;
    }

    private static FileDescriptor OpenTree(HostTree tree)
    {
        var fd = Mounts.TryCloneTree(tree.Path, tree.Recursive, out var errno, follow: tree.Follow)
            ?? throw new RuntimeException($"cannot open {tree.Path}: {LinuxException.Describe(errno)}");
        tree.IsDirectory = Files.Status(fd, tree.Path).Type == FileType.Directory;
        foreach (var (recursive, set, clear, propagation) in tree.AttributeCalls())
        {
            errno = Mounts.TrySetAttributes(fd, recursive, set, clear, propagation);
            if (errno == 0)
                continue;
            fd.Dispose();
            throw new RuntimeException($"cannot prepare {tree.Describe()}: {LinuxException.Describe(errno)}");
        }
        return fd;
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
