// What a runtime can do (runtime-spec features.md, features-linux.md).

namespace Conman.Oci.RuntimeSpec;

/// <summary>The features document.</summary>
[OciObject]
public sealed partial class Features
{
    /// <summary>Least version that is understood.</summary>
    public string? OciVersionMin { get; set; }

    /// <summary>Greatest version that is understood.</summary>
    public string? OciVersionMax { get; set; }

    /// <summary>Kinds of hooks.</summary>
    public List<string>? Hooks { get; set; }

    /// <summary>Mount options.</summary>
    public List<string>? MountOptions { get; set; }

    /// <summary>What only Linux has.</summary>
    public FeaturesLinux? Linux { get; set; }

    /// <summary>Of the implementation.</summary>
    public Dictionary<string, string>? Annotations { get; set; }

    /// <summary>Annotations that change what the runtime does.</summary>
    public List<string>? PotentiallyUnsafeConfigAnnotations { get; set; }
}

/// <summary><c>linux</c>.</summary>
[OciObject]
public sealed partial class FeaturesLinux
{
    /// <summary>Kinds.</summary>
    public List<string>? Namespaces { get; set; }

    /// <summary>Names.</summary>
    public List<string>? Capabilities { get; set; }

    /// <summary>Control groups.</summary>
    public FeaturesCgroup? Cgroup { get; set; }

    /// <summary>System call filters.</summary>
    public FeaturesSeccomp? Seccomp { get; set; }

    /// <summary>AppArmor.</summary>
    public FeaturesEnabled? Apparmor { get; set; }

    /// <summary>SELinux.</summary>
    public FeaturesEnabled? Selinux { get; set; }

    /// <summary>resctrl.</summary>
    public FeaturesIntelRdt? IntelRdt { get; set; }

    /// <summary>NUMA policy.</summary>
    public FeaturesMemoryPolicy? MemoryPolicy { get; set; }

    /// <summary>Beyond options.</summary>
    public FeaturesMountExtensions? MountExtensions { get; set; }

    /// <summary>Network interfaces.</summary>
    public FeaturesEnabled? NetDevices { get; set; }
}

/// <summary>Whether something can be done.</summary>
[OciObject]
public sealed partial class FeaturesEnabled
{
    /// <summary>It can.</summary>
    public bool? Enabled { get; set; }
}

/// <summary><c>cgroup</c>.</summary>
[OciObject]
public sealed partial class FeaturesCgroup
{
    /// <summary>Version 1.</summary>
    public bool? V1 { get; set; }

    /// <summary>Version 2.</summary>
    public bool? V2 { get; set; }

    /// <summary>Through systemd.</summary>
    public bool? Systemd { get; set; }

    /// <summary>Through a user's systemd.</summary>
    public bool? SystemdUser { get; set; }

    /// <summary>RDMA.</summary>
    public bool? Rdma { get; set; }
}

/// <summary><c>seccomp</c>.</summary>
[OciObject]
public sealed partial class FeaturesSeccomp
{
    /// <summary>It can.</summary>
    public bool? Enabled { get; set; }

    /// <summary>Actions.</summary>
    public List<string>? Actions { get; set; }

    /// <summary>Comparisons.</summary>
    public List<string>? Operators { get; set; }

    /// <summary>Architectures.</summary>
    public List<string>? Archs { get; set; }

    /// <summary>Flags that are understood.</summary>
    public List<string>? KnownFlags { get; set; }

    /// <summary>Flags that this kernel has.</summary>
    public List<string>? SupportedFlags { get; set; }
}

/// <summary><c>intelRdt</c>.</summary>
[OciObject]
public sealed partial class FeaturesIntelRdt
{
    /// <summary>It can.</summary>
    public bool? Enabled { get; set; }

    /// <summary>linux.intelRdt.schemata.</summary>
    public bool? Schemata { get; set; }

    /// <summary>linux.intelRdt.enableMonitoring.</summary>
    public bool? Monitoring { get; set; }
}

/// <summary><c>memoryPolicy</c>.</summary>
[OciObject]
public sealed partial class FeaturesMemoryPolicy
{
    /// <summary>Modes.</summary>
    public List<string>? Modes { get; set; }

    /// <summary>Flags.</summary>
    public List<string>? Flags { get; set; }
}

/// <summary><c>mountExtensions</c>.</summary>
[OciObject]
public sealed partial class FeaturesMountExtensions
{
    /// <summary>Id-mapped mounts.</summary>
    public FeaturesEnabled? Idmap { get; set; }
}
