// linux: what only Linux has (runtime-spec config-linux.md).

namespace Conman.Oci.RuntimeSpec;

/// <summary><c>linux</c>.</summary>
[OciObject]
public sealed partial class Linux
{
    /// <summary>User ids of a new user namespace.</summary>
    public List<IdMapping>? UidMappings { get; set; }

    /// <summary>Group ids of a new user namespace.</summary>
    public List<IdMapping>? GidMappings { get; set; }

    /// <summary>Kernel parameters of the container's namespaces (sysctl(8)).</summary>
    public Dictionary<string, string>? Sysctl { get; set; }

    /// <summary>Limits by control groups.</summary>
    public Resources? Resources { get; set; }

    /// <summary>Where the cgroup lies.</summary>
    public string? CgroupsPath { get; set; }

    /// <summary>Namespaces that are new or joined; others are the host's.</summary>
    public List<Namespace>? Namespaces { get; set; }

    /// <summary>Devices to be made.</summary>
    public List<Device>? Devices { get; set; }

    /// <summary>Network interfaces to be moved in, by their names on the host.</summary>
    public Dictionary<string, NetDevice>? NetDevices { get; set; }

    /// <summary>System calls that are allowed.</summary>
    public Seccomp? Seccomp { get; set; }

    /// <summary>Mount propagation of the root (mount_namespaces(7)).</summary>
    public string? RootfsPropagation { get; set; }

    /// <summary>Paths that cannot be read.</summary>
    public List<string>? MaskedPaths { get; set; }

    /// <summary>Paths that cannot be written.</summary>
    public List<string>? ReadonlyPaths { get; set; }

    /// <summary>SELinux label of mounts.</summary>
    public string? MountLabel { get; set; }

    /// <summary>Cache and memory bandwidth (resctrl).</summary>
    public IntelRdt? IntelRdt { get; set; }

    /// <summary>NUMA policy (set_mempolicy(2)).</summary>
    public MemoryPolicy? MemoryPolicy { get; set; }

    /// <summary>Execution domain (personality(2)).</summary>
    public Personality? Personality { get; set; }

    /// <summary>Clocks of a new time namespace, by name: monotonic, boottime.</summary>
    public Dictionary<string, TimeOffset>? TimeOffsets { get; set; }
}

/// <summary>One namespace.</summary>
[OciObject]
public sealed partial class Namespace
{
    /// <summary>pid, network, mount, ipc, uts, user, cgroup or time.</summary>
    public string? Type { get; set; }

    /// <summary>One that exists; absent: a new one.</summary>
    public string? Path { get; set; }
}

/// <summary>A network interface.</summary>
[OciObject]
public sealed partial class NetDevice
{
    /// <summary>Its name in the container; absent: as on the host.</summary>
    public string? Name { get; set; }
}

/// <summary><c>linux.intelRdt</c>.</summary>
[OciObject]
public sealed partial class IntelRdt
{
    /// <summary>Class of service.</summary>
    [OciName("closID")]
    public string? ClosID { get; set; }

    /// <summary>Lines of the schemata file.</summary>
    public List<string>? Schemata { get; set; }

    /// <summary>Line for the L3 cache.</summary>
    public string? L3CacheSchema { get; set; }

    /// <summary>Line for memory bandwidth.</summary>
    public string? MemBwSchema { get; set; }

    /// <summary>Make a monitoring group.</summary>
    public bool EnableMonitoring { get; set; }

    /// <summary>Deprecated.</summary>
    public bool EnableCMT { get; set; }

    /// <summary>Deprecated.</summary>
    public bool EnableMBM { get; set; }
}

/// <summary><c>linux.memoryPolicy</c> (set_mempolicy(2)).</summary>
[OciObject]
public sealed partial class MemoryPolicy
{
    /// <summary>E.g. <c>MPOL_BIND</c>.</summary>
    public string? Mode { get; set; }

    /// <summary>A list such as <c>0-3</c>.</summary>
    public string? Nodes { get; set; }

    /// <summary>E.g. <c>MPOL_F_STATIC_NODES</c>.</summary>
    public List<string>? Flags { get; set; }
}

/// <summary><c>linux.personality</c>.</summary>
[OciObject]
public sealed partial class Personality
{
    /// <summary>LINUX or LINUX32.</summary>
    public string? Domain { get; set; }

    /// <summary>None are defined.</summary>
    public List<string>? Flags { get; set; }
}

/// <summary>An offset of a clock.</summary>
[OciObject]
public sealed partial class TimeOffset
{
    /// <summary>Seconds.</summary>
    public long Secs { get; set; }

    /// <summary>Nanoseconds.</summary>
    public uint Nanosecs { get; set; }
}
