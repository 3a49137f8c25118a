// The cgroup of a container whose runtime is not root: what has been delegated to the user, or none.

using Conman.Linux;

namespace Conman.Runtime.Cgroups;

/// <summary>Documentation/admin-guide/cgroup-v2.rst, "Delegation".</summary>
internal static class RootlessCgroup
{
    /// <summary>
    /// linux.cgroupsPath, or where the cgroup is without: beside the caller's own, since below that no process may be while it hands down
    /// controllers.
    /// </summary>
    public static string PathOf(string? cgroupsPath, string id) => string.IsNullOrEmpty(cgroupsPath) ? "conman-" + id : cgroupsPath;

    /// <summary>The user may make none there, and the spec names no other. The hierarchies of cgroup v1 are never delegated.</summary>
    public static bool Missing(string? cgroupsPath, string id) =>
        string.IsNullOrEmpty(cgroupsPath) && (!CgroupHierarchy.UnifiedOnly || !Delegated(UnifiedCgroup.Locate(PathOf(cgroupsPath, id)).Folder.Path));

    // Making a cgroup takes the right to write to the folder above it, moving a process there that to write to its cgroup.procs.
    private static bool Delegated(string path)
    {
        var parent = Path.GetDirectoryName(path)!;
        return Files.MayWrite(parent) && Files.MayWrite(parent + "/cgroup.procs");
    }
}
