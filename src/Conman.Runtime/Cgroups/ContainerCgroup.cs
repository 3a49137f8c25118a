// The container's cgroup: where it lies, its limits, its end.

using Conman.Linux;

namespace Conman.Runtime.Cgroups;

/// <summary>A container's cgroup on the unified hierarchy. Its path follows from the spec and the id alone.</summary>
public sealed class ContainerCgroup
{
    private const int Patience = 10_000; // ms for killed processes to be gone: only a process stuck in the kernel takes longer

    private readonly string _mount;

    private ContainerCgroup(string mount, string path)
    {
        _mount = mount;
        Folder = new CgroupFolder(mount + path);
    }

    /// <summary>The folder itself.</summary>
    public CgroupFolder Folder { get; }

    /// <summary>Where linux.cgroupsPath leads: absolute from the hierarchy's root; relative beside the caller's own cgroup; absent: a name from the id.</summary>
    public static ContainerCgroup Locate(string? cgroupsPath, string id)
    {
        var mount = CgroupFolder.FindMount() ?? throw new RuntimeException("cannot use cgroups: no cgroup2 file system is mounted on /sys/fs/cgroup");
        if (string.IsNullOrEmpty(cgroupsPath))
            return new ContainerCgroup(mount, "/conman-" + id);
        if (cgroupsPath.Split('/').Contains("..", StringComparer.Ordinal))
            throw new RuntimeException($"linux.cgroupsPath: {cgroupsPath} must not contain ..");
        if (cgroupsPath[0] != '/')
        {
            var own = OwnPath();
            cgroupsPath = own[..(own.LastIndexOf('/') + 1)] + cgroupsPath;
        }
        return new ContainerCgroup(mount, Path.TrimEndingDirectorySeparator(cgroupsPath));
    }

    /// <summary>The cgroup that a record of a container names.</summary>
    public static ContainerCgroup At(string folder) => new(folder, "");

    /// <summary>A cgroup left by nobody may be taken over; one that holds processes or is frozen belongs to somebody.</summary>
    public void RefuseOccupied()
    {
        if (!Files.Exists(Folder.Path))
            return;
        if (Folder.Populated)
            throw new RuntimeException($"container's cgroup is not empty: {Folder.Path}");
        if (Folder.Frozen)
            throw new RuntimeException($"container's cgroup unexpectedly frozen: {Folder.Path}");
    }

    /// <summary>Makes the folder and those above it.</summary>
    /// <param name="owner">What the cgroup is marked with before there is a process in it.</param>
    public void Make(string owner)
    {
        var errno = Folder.TryMake();
        if (errno == Errno.ENOENT)
        {
            MakeParents(Path.GetDirectoryName(Folder.Path)!);
            errno = Folder.TryMake();
        }
        if (errno == Errno.EEXIST)
            RefuseOccupied();
        else if (errno != 0)
            throw new RuntimeException($"cannot make cgroup {Folder.Path}: {LinuxException.Describe(errno)}");
        Folder.TryMark(owner);
    }

    /// <summary>Hands down every controller that the host offers, and writes the limits.</summary>
    public void Limit(IReadOnlyList<(string File, string Value)> limits)
    {
        HandDownControllers();
        Apply(limits);
    }

    /// <summary>Writes the limits; a limit that no controller can enforce is an error.</summary>
    public void Apply(IReadOnlyList<(string File, string Value)> limits)
    {
        foreach (var (file, value) in limits)
        {
            var errno = Folder.TryWrite(file, value);
            if (errno == 0)
                continue;
            var controller = file[..file.IndexOf('.')];
            throw new RuntimeException(errno == Errno.ENOENT
                ? $"cannot set {file} of cgroup {Folder.Path} to {value}: the {controller} controller is not available"
                : $"cannot set {file} of cgroup {Folder.Path} to {value}: {LinuxException.Describe(errno)}");
        }
    }

    /// <summary>Kills whatever is in it and removes it. A cgroup that is gone already is success.</summary>
    /// <param name="owner">
    /// Whom it must be marked with, if there is a process in it; null: it is known that there was a process of ours. A create that was
    /// killed early has recorded a cgroup that it did not make, and another may have made it since.
    /// </param>
    public void Destroy(string? owner)
    {
        if (owner is not null && Folder.Owner != owner && Folder.Populated)
            return;
        // Mostly it is empty: its processes have ended.
        if (Files.TryRemoveDirectory(Folder.Path) is 0 or Errno.ENOENT)
            return;
        Folder.TryKill();
        var errno = Folder.TryRemove(Patience);
        if (errno != 0)
            throw new RuntimeException($"cannot remove cgroup {Folder.Path}: {LinuxException.Describe(errno)}");
    }

    private void MakeParents(string path)
    {
        var errno = Files.TryMakeDirectory(path, 0x1ed);
        if (errno == Errno.ENOENT && path.Length > _mount.Length)
        {
            MakeParents(Path.GetDirectoryName(path)!);
            errno = Files.TryMakeDirectory(path, 0x1ed);
        }
        if (errno is not (0 or Errno.EEXIST))
            throw new RuntimeException($"cannot make cgroup {path}: {LinuxException.Describe(errno)}");
    }

    // From the mount down to the parent: each cgroup offers below it what it has itself been offered and hands down.
    private void HandDownControllers()
    {
        var offered = Words(new CgroupFolder(_mount).TryRead("cgroup.controllers"));
        for (var end = _mount.Length; end >= 0 && offered.Length > 0; end = Folder.Path.IndexOf('/', end + 1))
        {
            var parent = new CgroupFolder(Folder.Path[..end]);
            var enabled = Words(parent.TryRead("cgroup.subtree_control"));
            var missing = Array.FindAll(offered, controller => Array.IndexOf(enabled, controller) < 0);
            if (missing.Length > 0)
            {
                // One that cannot be handed down must not keep the others back; whoever needs it will hear of it when a limit is set.
                if (parent.TryWrite("cgroup.subtree_control", "+" + string.Join(" +", missing)) != 0)
                {
                    foreach (var controller in missing)
                        parent.TryWrite("cgroup.subtree_control", "+" + controller);
                }
                enabled = Words(parent.TryRead("cgroup.subtree_control"));
            }
            offered = enabled;
        }
    }

    private static string[] Words(string? line) => line is { Length: > 0 } ? line.Split(' ') : [];

    private static string OwnPath()
    {
        foreach (var line in System.Text.Encoding.UTF8.GetString(Files.ReadAll("/proc/self/cgroup")).Split('\n'))
        {
            if (line.StartsWith("0::", StringComparison.Ordinal))
                return line[3..];
        }
        return "/";
    }
}
