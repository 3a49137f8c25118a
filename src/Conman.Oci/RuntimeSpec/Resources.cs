// linux.resources: limits by control groups (runtime-spec config-linux.md, "Control groups").

namespace Conman.Oci.RuntimeSpec;

/// <summary><c>linux.resources</c>.</summary>
[OciObject]
public sealed partial class Resources
{
    /// <summary>Which devices may be opened.</summary>
    public List<DeviceCgroup>? Devices { get; set; }

    /// <summary>Memory.</summary>
    public MemoryResources? Memory { get; set; }

    /// <summary>CPU.</summary>
    public CpuResources? Cpu { get; set; }

    /// <summary>Processes.</summary>
    public PidsResources? Pids { get; set; }

    /// <summary>Block devices.</summary>
    public BlockIo? BlockIO { get; set; }

    /// <summary>Huge pages, by size.</summary>
    public List<HugepageLimit>? HugepageLimits { get; set; }

    /// <summary>Network, of cgroup v1.</summary>
    public NetworkResources? Network { get; set; }

    /// <summary>RDMA, by device.</summary>
    public Dictionary<string, RdmaLimit>? Rdma { get; set; }

    /// <summary>Files of cgroup v2 and what is written to them.</summary>
    public Dictionary<string, string>? Unified { get; set; }
}

/// <summary><c>memory</c>: bytes; -1 is no limit.</summary>
[OciObject]
public sealed partial class MemoryResources
{
    /// <summary>Hard limit.</summary>
    public long? Limit { get; set; }

    /// <summary>Soft limit.</summary>
    public long? Reservation { get; set; }

    /// <summary>Limit of memory and swap together.</summary>
    public long? Swap { get; set; }

    /// <summary>Deprecated.</summary>
    public long? Kernel { get; set; }

    /// <summary>Deprecated.</summary>
    public long? KernelTCP { get; set; }

    /// <summary>0 to 100.</summary>
    public ulong? Swappiness { get; set; }

    /// <summary>Do not kill when out of memory.</summary>
    public bool? DisableOOMKiller { get; set; }

    /// <summary>Of cgroup v1.</summary>
    public bool? UseHierarchy { get; set; }

    /// <summary>Refuse a limit below what is used.</summary>
    public bool? CheckBeforeUpdate { get; set; }
}

/// <summary><c>cpu</c>.</summary>
[OciObject]
public sealed partial class CpuResources
{
    /// <summary>2 to 262144, relative.</summary>
    public ulong? Shares { get; set; }

    /// <summary>Microseconds of CPU time in a period; -1: no limit.</summary>
    public long? Quota { get; set; }

    /// <summary>Microseconds of unused quota that may be used later.</summary>
    public ulong? Burst { get; set; }

    /// <summary>Microseconds.</summary>
    public ulong? Period { get; set; }

    /// <summary>Microseconds, of cgroup v1.</summary>
    public long? RealtimeRuntime { get; set; }

    /// <summary>Microseconds, of cgroup v1.</summary>
    public ulong? RealtimePeriod { get; set; }

    /// <summary>CPUs such as <c>0-3,7</c>.</summary>
    public string? Cpus { get; set; }

    /// <summary>Memory nodes such as <c>0-1</c>.</summary>
    public string? Mems { get; set; }

    /// <summary>1: scheduled only when nothing else is (SCHED_IDLE).</summary>
    public long? Idle { get; set; }
}

/// <summary><c>pids</c>.</summary>
[OciObject]
public sealed partial class PidsResources
{
    /// <summary>How many; -1: no limit.</summary>
    public long? Limit { get; set; }
}

/// <summary>A limit on huge pages of one size.</summary>
[OciObject]
public sealed partial class HugepageLimit
{
    /// <summary>E.g. <c>2MB</c>.</summary>
    public string? PageSize { get; set; }

    /// <summary>Bytes.</summary>
    public ulong Limit { get; set; }
}

/// <summary><c>network</c>, of cgroup v1.</summary>
[OciObject]
public sealed partial class NetworkResources
{
    /// <summary>Class of net_cls.</summary>
    [OciName("classID")]
    public uint? ClassID { get; set; }

    /// <summary>Priorities of net_prio.</summary>
    public List<InterfacePriority>? Priorities { get; set; }
}

/// <summary>Priority of an interface.</summary>
[OciObject]
public sealed partial class InterfacePriority
{
    /// <summary>Interface.</summary>
    public string? Name { get; set; }

    /// <summary>Priority.</summary>
    public uint Priority { get; set; }
}

/// <summary>Limits on an RDMA device.</summary>
[OciObject]
public sealed partial class RdmaLimit
{
    /// <summary>Handles.</summary>
    public uint? HcaHandles { get; set; }

    /// <summary>Objects.</summary>
    public uint? HcaObjects { get; set; }
}

/// <summary><c>blockIO</c>.</summary>
[OciObject]
public sealed partial class BlockIo
{
    /// <summary>10 to 1000.</summary>
    public ushort? Weight { get; set; }

    /// <summary>10 to 1000, of cgroup v1.</summary>
    public ushort? LeafWeight { get; set; }

    /// <summary>Weights by device.</summary>
    public List<WeightDevice>? WeightDevice { get; set; }

    /// <summary>Bytes a second.</summary>
    public List<ThrottleDevice>? ThrottleReadBpsDevice { get; set; }

    /// <summary>Bytes a second.</summary>
    public List<ThrottleDevice>? ThrottleWriteBpsDevice { get; set; }

    /// <summary>Operations a second.</summary>
    public List<ThrottleDevice>? ThrottleReadIOPSDevice { get; set; }

    /// <summary>Operations a second.</summary>
    public List<ThrottleDevice>? ThrottleWriteIOPSDevice { get; set; }
}

/// <summary>Weight of a device.</summary>
[OciObject]
public sealed partial class WeightDevice
{
    /// <summary>Major number.</summary>
    public long Major { get; set; }

    /// <summary>Minor number.</summary>
    public long Minor { get; set; }

    /// <summary>10 to 1000.</summary>
    public ushort? Weight { get; set; }

    /// <summary>10 to 1000.</summary>
    public ushort? LeafWeight { get; set; }
}

/// <summary>Rate limit of a device.</summary>
[OciObject]
public sealed partial class ThrottleDevice
{
    /// <summary>Major number.</summary>
    public long Major { get; set; }

    /// <summary>Minor number.</summary>
    public long Minor { get; set; }

    /// <summary>Per second.</summary>
    public ulong Rate { get; set; }
}
