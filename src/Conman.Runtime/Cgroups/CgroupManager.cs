// Who makes the cgroups of containers: what --cgroup-manager chooses.

namespace Conman.Runtime.Cgroups;

/// <summary>The cgroup driver.</summary>
public enum CgroupManager
{
    /// <summary>The runtime itself, by folders of cgroupfs.</summary>
    Cgroupfs,

    /// <summary>systemd, which is asked for a transient scope.</summary>
    Systemd,

    /// <summary>Nobody: the container stays in its caller's cgroup.</summary>
    Disabled,
}
