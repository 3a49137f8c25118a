// What of the host a container may use, and how much: "HostConfig" in Docker's inspect.

using Conman.Oci;

namespace Conman.Engine.Settings;

/// <summary>The half of a container's settings that belongs to this host, in the shape of Docker's API. Null, empty or 0: the default.</summary>
[OciObject(Docker = true)]
public sealed partial class HostConfig
{
    /// <summary><c>SOURCE:TARGET[:OPTIONS]</c>: folders of the host and named volumes.</summary>
    public List<string>? Binds { get; set; }

    /// <summary>A file that the id is written to.</summary>
    public string ContainerIDFile { get; set; } = "";

    public LogConfig? LogConfig { get; set; }

    /// <summary><c>bridge</c>, <c>none</c>, <c>host</c>, <c>container:ID</c>, <c>ns:PATH</c>, or a network.</summary>
    public string NetworkMode { get; set; } = "";

    /// <summary>By port of the container, e.g. <c>80/tcp</c>.</summary>
    public Dictionary<string, List<PortBinding>>? PortBindings { get; set; }

    public RestartPolicy? RestartPolicy { get; set; }

    /// <summary>The container is removed when it has ended.</summary>
    public bool AutoRemove { get; set; }

    public string VolumeDriver { get; set; } = "";

    /// <summary><c>CONTAINER[:ro|rw]</c>.</summary>
    public List<string>? VolumesFrom { get; set; }

    /// <summary>Rows and columns of the terminal.</summary>
    public List<uint>? ConsoleSize { get; set; }

    /// <summary>Annotations of the runtime's document.</summary>
    public Dictionary<string, string>? Annotations { get; set; }

    public List<string>? CapAdd { get; set; }

    public List<string>? CapDrop { get; set; }

    /// <summary><c>private</c>, <c>host</c>, <c>container:ID</c>, <c>ns:PATH</c>; empty: private.</summary>
    public string CgroupnsMode { get; set; } = "";

    public List<string>? Dns { get; set; }

    public List<string>? DnsOptions { get; set; }

    public List<string>? DnsSearch { get; set; }

    /// <summary><c>NAME:ADDRESS</c>.</summary>
    public List<string>? ExtraHosts { get; set; }

    /// <summary>Groups by name or number.</summary>
    public List<string>? GroupAdd { get; set; }

    /// <summary><c>private</c>, <c>shareable</c>, <c>none</c>, <c>host</c>, <c>container:ID</c>, <c>ns:PATH</c>; empty: private.</summary>
    public string IpcMode { get; set; } = "";

    public List<string>? Links { get; set; }

    /// <summary>-1000 to 1000.</summary>
    public int OomScoreAdj { get; set; }

    /// <summary><c>private</c>, <c>host</c>, <c>container:ID</c>, <c>ns:PATH</c>; empty: private.</summary>
    public string PidMode { get; set; } = "";

    /// <summary>All capabilities and devices, no filter of system calls, nothing masked.</summary>
    public bool Privileged { get; set; }

    public bool PublishAllPorts { get; set; }

    public bool ReadonlyRootfs { get; set; }

    public List<string>? SecurityOpt { get; set; }

    public Dictionary<string, string>? StorageOpt { get; set; }

    /// <summary>Options of mount(8) by folder.</summary>
    public Dictionary<string, string>? Tmpfs { get; set; }

    /// <summary><c>private</c>, <c>host</c>, <c>container:ID</c>, <c>ns:PATH</c>; empty: private.</summary>
    public string UTSMode { get; set; } = "";

    /// <summary><c>host</c>, <c>container:ID</c>, <c>ns:PATH</c>; empty: host.</summary>
    public string UsernsMode { get; set; } = "";

    /// <summary>Bytes of /dev/shm; 0: 64 MiB.</summary>
    public long ShmSize { get; set; }

    public Dictionary<string, string>? Sysctls { get; set; }

    public string Runtime { get; set; } = "";

    public long CpuShares { get; set; }

    /// <summary>Bytes.</summary>
    public long Memory { get; set; }

    /// <summary>Billionths of a CPU.</summary>
    public long NanoCpus { get; set; }

    public string CgroupParent { get; set; } = "";

    /// <summary>10 to 1000.</summary>
    public ushort BlkioWeight { get; set; }

    public List<DeviceWeight>? BlkioWeightDevice { get; set; }

    public List<DeviceRate>? BlkioDeviceReadBps { get; set; }

    public List<DeviceRate>? BlkioDeviceWriteBps { get; set; }

    public List<DeviceRate>? BlkioDeviceReadIOps { get; set; }

    public List<DeviceRate>? BlkioDeviceWriteIOps { get; set; }

    /// <summary>Microseconds.</summary>
    public long CpuPeriod { get; set; }

    /// <summary>Microseconds of a period.</summary>
    public long CpuQuota { get; set; }

    /// <summary>Microseconds, of cgroup v1.</summary>
    public long CpuRealtimePeriod { get; set; }

    /// <summary>Microseconds, of cgroup v1.</summary>
    public long CpuRealtimeRuntime { get; set; }

    /// <summary>CPUs such as <c>0-3,7</c>.</summary>
    public string CpusetCpus { get; set; } = "";

    public string CpusetMems { get; set; } = "";

    public List<DeviceMapping>? Devices { get; set; }

    /// <summary>Lines such as <c>c 1:3 rwm</c>.</summary>
    public List<string>? DeviceCgroupRules { get; set; }

    /// <summary>Bytes.</summary>
    public long MemoryReservation { get; set; }

    /// <summary>Bytes of memory and swap together; -1: no limit; 0: twice the memory.</summary>
    public long MemorySwap { get; set; }

    /// <summary>0 to 100, of cgroup v1.</summary>
    public long? MemorySwappiness { get; set; }

    public bool? OomKillDisable { get; set; }

    /// <summary>Processes; -1: no limit; null: the default.</summary>
    public long? PidsLimit { get; set; }

    public List<Ulimit>? Ulimits { get; set; }

    public List<MountSetting>? Mounts { get; set; }

    /// <summary>Null: the default ones; empty: none.</summary>
    public List<string>? MaskedPaths { get; set; }

    /// <summary>Null: the default ones; empty: none.</summary>
    public List<string>? ReadonlyPaths { get; set; }

    /// <summary>The program is not process 1: a small init is, which reaps and hands on signals.</summary>
    public bool? Init { get; set; }

    // What Docker has no name for: Podman's.

    /// <summary>Folders of descriptions of hooks (oci-hooks(5)).</summary>
    public List<string>? HooksDir { get; set; }

    /// <summary>Files of cgroup v2 and what is written to them.</summary>
    public Dictionary<string, string>? CgroupConf { get; set; }
}
