// The container's cgroup on a host that has the unified hierarchy alone (cgroup v2).

using Conman.Linux;

namespace Conman.Runtime.Cgroups;

internal sealed class UnifiedCgroup(string mount, string path) : ContainerCgroup
{
    public override CgroupFolder Folder { get; } = new(path);

    public override string Record => Folder.Path;

    /// <summary>A relative path lies beside the caller's own cgroup: below it no process may be while it hands down controllers.</summary>
    public static UnifiedCgroup Locate(string path)
    {
        if (path[0] != '/')
        {
            var own = OwnPath();
            path = own[..(own.LastIndexOf('/') + 1)] + path;
        }
        return new UnifiedCgroup(CgroupHierarchy.Root, CgroupHierarchy.Root + path);
    }

    public override void RefuseOccupied()
    {
        if (!Files.Exists(Folder.Path))
            return;
        RefuseThreaded(Folder);
        if (Folder.Populated)
            throw new RuntimeException($"container's cgroup is not empty: {Folder.Path}");
        if (Folder.Frozen)
            throw new RuntimeException($"container's cgroup unexpectedly frozen: {Folder.Path}");
    }

    public override void Make(string owner)
    {
        if (!MakeFolder(Folder, mount))
            RefuseOccupied();
        Folder.TryMark(owner);
    }

    public override FileDescriptor Open() => Folder.Open();

    public override IEnumerable<(string, FileDescriptor)> OpenTasks() => [];

    public override ContainerCgroup Below(IReadOnlyList<string> paths)
    {
        if (paths.Count > 1 || paths[0].Contains(':'))
            throw new RuntimeException($"invalid --cgroup argument: {string.Join(' ', paths)} (the unified hierarchy has one path for all controllers)");
        return new UnifiedCgroup(mount, Below(Folder, paths[0]).Path);
    }

    public override void Limit(IReadOnlyList<CgroupWrite> limits)
    {
        HandDownControllers();
        Apply(limits);
    }

    public override void Destroy(string? owner)
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

    public override CgroupFolder? FolderOf(ReadOnlySpan<char> controller) => Folder;

    // From the mount down to the parent: each cgroup offers below it what it has itself been offered and hands down.
    private void HandDownControllers()
    {
        var offered = Words(new CgroupFolder(mount).TryRead("cgroup.controllers"));
        for (var end = mount.Length; end >= 0 && offered.Length > 0; end = Folder.Path.IndexOf('/', end + 1))
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
