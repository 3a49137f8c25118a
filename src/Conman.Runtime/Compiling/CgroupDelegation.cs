// Whether the container may make cgroups of its own below its cgroup: as the specification has it, and by crun's annotation.

using Conman.Linux;
using Conman.Oci.RuntimeSpec;

namespace Conman.Runtime.Compiling;

/// <summary>Documentation/admin-guide/cgroup-v2.rst, "Delegation". The hierarchies of cgroup v1 cannot be delegated safely.</summary>
internal static class CgroupDelegation
{
    private const string Annotation = "run.oci.delegate-cgroup";

    /// <summary>
    /// A cgroup below the container's that the process is moved to, once its cgroup namespace begins above that: then it may hand down controllers, since
    /// there is no process in its root. Null: it stays in the container's cgroup itself.
    /// </summary>
    public static string? PathOf(Spec spec)
    {
        if (spec.Annotations is null || !spec.Annotations.TryGetValue(Annotation, out var path) || path.Trim('/').Length == 0)
            return null;
        return path.Split('/').Contains("..", StringComparer.Ordinal)
            ? throw new RuntimeException($"annotation {Annotation}: {path} must not contain ..")
            : path.Trim('/');
    }

    /// <summary>As <see cref="PathOf"/>, where there is a cgroup that can be delegated.</summary>
    /// <param name="whyNot">Why there is none; null: there is.</param>
    public static string? Require(Spec spec, string? whyNot) => PathOf(spec) is not { } path ? null
        : whyNot is null ? path : throw new RuntimeException($"annotation {Annotation}: cannot delegate cgroup {path}: {whyNot}");

    /// <summary>
    /// The host's user who is to own the container's cgroup (config-linux.md, "Cgroup ownership"): who the process is, if it has a cgroup namespace of its own
    /// and may write to what is mounted on /sys/fs/cgroup. Null: nobody but root.
    /// </summary>
    public static uint? Owner(Spec spec)
    {
        var writable = spec.Mounts?.Exists(static m => m.Destination == CgroupHierarchy.Root && m.Type is "cgroup" or "cgroup2" && m.Options?.Contains("ro") != true) == true;
        if (!writable || spec.Linux!.Namespaces?.Exists(static n => n.Type == "cgroup" && string.IsNullOrEmpty(n.Path)) != true)
            return null;
        var user = spec.Process!.User?.Uid ?? 0;
        if (spec.Linux.Namespaces.Exists(static n => n.Type == "user"))
            return HostIds.Of(user, spec.Linux.UidMappings);
        return user == 0 ? null : user;
    }
}
