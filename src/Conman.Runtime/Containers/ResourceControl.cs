// linux.intelRdt: the group of the resctrl file system that decides a container's share of caches and memory bandwidth
// (Documentation/filesystems/resctrl.rst; runtime-spec config-linux.md, "IntelRdt").
//
// The container's folder gets a link to what is made before it is made, so that delete finds it by the id alone.

using System.Text;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;

namespace Conman.Runtime.Containers;

/// <summary>Groups below <see cref="Root"/>. Only what was made for this container alone, by its id, is removed with it.</summary>
internal static class ResourceControl
{
    private const string Root = "/sys/fs/resctrl";
    private const long ResctrlMagic = 0x7655821;

    // Links in the container's folder. The groups are removed in this order: a monitoring group may lie in the other.
    private const string MonitoringLink = "resctrl-monitor", GroupLink = "resctrl";

    /// <summary>Makes or finds the group, before there is a process to be in it.</summary>
    /// <returns>The group's folder.</returns>
    public static string Prepare(IntelRdt settings, ContainerFolder folder)
    {
        RequireMounted();
        var lines = Lines(settings);
        var own = string.IsNullOrEmpty(settings.ClosID);
        var group = settings.ClosID == "/" ? Root : Root + "/" + (own ? folder.Id : settings.ClosID);
        var exists = Files.Exists(group);
        if (own && !exists)
            Record(folder, GroupLink, group);
        if (!own && !exists && lines.Count == 0)
            throw new RuntimeException($"linux.intelRdt.closID: clos dir {group} not accessible (must be pre-created when schemata, l3CacheSchema and memBwSchema are empty)");
        if (!own && exists)
            Compare(group, lines);
        if (!exists)
            Make(group);
        if (own || !exists)
        {
            foreach (var line in lines)
                Write(group + "/schemata", line);
        }
        if (settings.EnableMonitoring)
        {
            var monitoring = group + "/mon_groups/" + folder.Id;
            Record(folder, MonitoringLink, monitoring);
            Make(monitoring);
            return monitoring; // a task in it is in the group that it lies in (resctrl.rst, "Resource alloc and monitor groups")
        }
        return group;
    }

    /// <summary>Puts a process into a group; what it starts is born there.</summary>
    public static void Enter(string group, int pid)
    {
        // A monitoring group takes only tasks of the group around it.
        var around = group.IndexOf("/mon_groups/", StringComparison.Ordinal);
        if (around >= 0)
            Write(group[..around] + "/tasks", pid.ToString());
        Write(group + "/tasks", pid.ToString());
    }

    /// <summary>Whether a name in a container's folder says that there is something to remove.</summary>
    public static bool IsLink(string name) => name is GroupLink or MonitoringLink;

    /// <summary>The group that a container's processes belong to; null if there is none of its own.</summary>
    public static string? GroupOf(IntelRdt? settings, string id)
    {
        if (settings is null)
            return null;
        var group = settings.ClosID == "/" ? Root : Root + "/" + (string.IsNullOrEmpty(settings.ClosID) ? id : settings.ClosID);
        return settings.EnableMonitoring ? group + "/mon_groups/" + id : group;
    }

    /// <summary>Removes what was made for this container; a group that is gone counts as removed.</summary>
    public static void Remove(ContainerFolder folder)
    {
        foreach (var link in (ReadOnlySpan<string>)[MonitoringLink, GroupLink])
        {
            if (Files.TryReadLink(link, folder.Descriptor.Number) is not { } group || !group.StartsWith(Root + "/", StringComparison.Ordinal))
                continue;
            var errno = Files.TryRemoveDirectory(group);
            if (errno is not (0 or Errno.ENOENT))
                throw new RuntimeException($"cannot remove {group}: {LinuxException.Describe(errno)}");
        }
    }

    private static void Record(ContainerFolder folder, string link, string group)
    {
        var errno = Files.TrySymlink(group, link, folder.Descriptor.Number);
        if (errno != 0)
            throw new RuntimeException($"cannot record the resctrl group of {folder.Id}: {LinuxException.Describe(errno)}");
    }

    private static void RequireMounted()
    {
        using var root = Files.TryOpen(Root, OpenFlags.Path | Files.Directory, out _);
        if (root is null || Files.FileSystemType(root, Root) != ResctrlMagic)
            throw new RuntimeException($"intelRdt is specified in config, but Intel RDT is not enabled: there is no resctrl file system at {Root}");
    }

    private static List<string> Lines(IntelRdt settings)
    {
        var lines = new List<string>();
        if (settings.L3CacheSchema is { Length: > 0 } cache)
            lines.Add(cache);
        if (settings.MemBwSchema is { Length: > 0 } bandwidth)
            lines.Add(bandwidth);
        lines.AddRange(settings.Schemata ?? []);
        return lines;
    }

    // "generate an error if doesn't match": what the file says of each resource must be what the line says.
    private static void Compare(string group, List<string> lines)
    {
        if (lines.Count == 0)
            return;
        var present = new HashSet<string>();
        foreach (var line in Encoding.UTF8.GetString(Files.ReadAll(group + "/schemata")).Split('\n', StringSplitOptions.RemoveEmptyEntries))
            present.Add(Normal(line));
        foreach (var line in lines)
        {
            if (!present.Contains(Normal(line)))
                throw new RuntimeException($"linux.intelRdt: {group} exists, and its schemata do not say {line}");
        }

        // The kernel pads: "    L3:0=ffff;1=ffff", "MB:0= 20".
        static string Normal(string line) => line.Replace(" ", "");
    }

    private static void Make(string folder)
    {
        var errno = Files.TryMakeDirectory(folder, 0x1ed /* 0755 */);
        if (errno is not (0 or Errno.EEXIST))
            throw new RuntimeException($"cannot make {folder}: {LinuxException.Describe(errno)}{Status()}");
    }

    private static void Write(string file, string line)
    {
        var errno = Files.TryWriteFile(file, Encoding.UTF8.GetBytes(line + "\n"));
        if (errno != 0)
            throw new RuntimeException($"cannot write {line} to {file}: {LinuxException.Describe(errno)}{Status()}");
    }

    // The kernel's own words on what went wrong last.
    private static string Status()
    {
        using var file = Files.TryOpen(Root + "/info/last_cmd_status", OpenFlags.ReadOnly, out _);
        return file is null ? "" : ", last_cmd_status: " + Encoding.UTF8.GetString(Files.ReadAll(file, "last_cmd_status")).Trim();
    }
}
