// state.json: what is known of a container once its process exists.

using Conman.Oci;
using Conman.Oci.RuntimeSpec;

namespace Conman.Runtime.Containers;

/// <summary>The record of a container. Its status is not in it: that is asked of the kernel each time.</summary>
[OciObject]
public sealed partial class ContainerRecord
{
    public string? Id { get; set; }
    public string? OciVersion { get; set; }

    /// <summary>The bundle's absolute path.</summary>
    public string? Bundle { get; set; }

    /// <summary>The root file system's absolute path.</summary>
    public string? Rootfs { get; set; }

    /// <summary>When it was created, RFC 3339 in UTC.</summary>
    public string? Created { get; set; }

    /// <summary>Who created it: a numeric user id.</summary>
    public uint Owner { get; set; }

    /// <summary>The init process in the runtime's pid namespace.</summary>
    public int Pid { get; set; }

    /// <summary>When that process was started, in clock ticks since boot: with the pid it names one process for good.</summary>
    public ulong StartTime { get; set; }

    /// <summary>The boot that these two are of (/proc/sys/kernel/random/boot_id), where the record could outlast it; else null.</summary>
    public string? Boot { get; set; }

    /// <summary>The cgroup: its folder, or on a v1 host a line for each hierarchy, as the link <c>cgroup</c> has it; null where the user may have none.</summary>
    public string? Cgroup { get; set; }

    /// <summary>How many operations its encoded plan has: a failure of <c>start</c> is told by its distance from the end.</summary>
    public int Operations { get; set; }

    /// <summary>The filter is loaded by <c>start</c>, and has a listener for a seccomp agent.</summary>
    public bool AsksAgentAtStart { get; set; }

    public Dictionary<string, string>? Annotations { get; set; }

    /// <summary>Those of the spec: <c>start</c> and <c>delete</c> need not read all of that.</summary>
    public Hooks? Hooks { get; set; }
}
