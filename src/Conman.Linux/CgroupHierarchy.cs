// Which cgroup hierarchies a host mounts: the unified one alone, or those of cgroup v1, each with its controllers (cgroups(7)).

using System.Text;

namespace Conman.Linux;

/// <summary>One mounted hierarchy.</summary>
/// <param name="Name">Its controllers as /proc/PID/cgroup writes them (<c>cpu,cpuacct</c>, <c>name=systemd</c>); empty for the unified one.</param>
/// <param name="Mount">Where it is mounted.</param>
/// <param name="Own">The cgroup of this process in it, from its root.</param>
public sealed record CgroupHierarchy(string Name, string Mount, string Own)
{
    /// <summary>Where every system mounts its cgroups (file-hierarchy(7)).</summary>
    public const string Root = "/sys/fs/cgroup";

    private const long Cgroup2Magic = 0x63677270, CgroupMagic = 0x27e0eb;

    /// <summary>Whether the hierarchy of cgroup v2.</summary>
    public bool IsUnified => Name.Length == 0;

    /// <summary>Whether the unified hierarchy is all there is.</summary>
    public static bool UnifiedOnly => Files.FileSystemType(Root) == Cgroup2Magic;

    /// <summary>Whether this host has a controller for containers' cgroups.</summary>
    /// <param name="name">With no other in its hierarchy: pids, memory, freezer, …</param>
    public static bool Has(string name) => UnifiedOnly
        ? new CgroupFolder(Root).TryRead("cgroup.controllers")?.Split(' ').Contains(name) ?? false
        : Find(name, "") is not null;

    /// <summary>The hierarchies of a hybrid or a v1 host, the unified one first if it is mounted beside the others; empty if there are none.</summary>
    public static List<CgroupHierarchy> List()
    {
        var found = new List<CgroupHierarchy>(16);
        foreach (var line in Encoding.UTF8.GetString(Files.ReadAll("/proc/self/cgroup")).Split('\n'))
        {
            // "4:memory:/path"; the path may hold colons
            var name = line.IndexOf(':') + 1;
            var path = line.IndexOf(':', name) + 1;
            if (name > 0 && path > 0 && Find(line[name..(path - 1)], line[path..]) is { } hierarchy)
                found.Insert(hierarchy.IsUnified ? 0 : found.Count, hierarchy);
        }
        return found;
    }

    // The folder has the name of the controllers; where their order differs, systemd has made a link for each.
    private static CgroupHierarchy? Find(string name, string own)
    {
        if (name.Length == 0)
            return Files.FileSystemType(Root + "/unified") == Cgroup2Magic ? new CgroupHierarchy(name, Root + "/unified", own) : null;
        var folder = Root + "/" + (name.StartsWith("name=", StringComparison.Ordinal) ? name[5..] : name);
        if (Files.FileSystemType(folder) == CgroupMagic)
            return new CgroupHierarchy(name, folder, own);
        var comma = name.IndexOf(',');
        folder = comma < 0 ? "" : Root + "/" + name[..comma];
        return comma >= 0 && Files.FileSystemType(folder) == CgroupMagic ? new CgroupHierarchy(name, folder, own) : null;
    }
}
