// What the compiler must know of the host and of the command: gathered before, so that compiling makes no system call.

using Conman.Linux;
using Conman.Runtime.Seccomp;

namespace Conman.Runtime.Compiling;

/// <summary>Facts of this host, and of the bundle beyond its config.json.</summary>
public sealed class HostFacts
{
    /// <summary>Capabilities that this kernel knows.</summary>
    public ulong Capabilities { get; init; } = (1ul << 41) - 1;

    /// <summary>The mount point that the root file system's path lies on.</summary>
    public string MountOfRoot { get; init; } = "/";

    /// <summary>Where the host has procfs and sysfs mounted, in the order of mounting; only asked for --no-pivot.</summary>
    public IReadOnlyList<string> KernelFileSystems { get; init; } = [];

    /// <summary>AppArmor is on.</summary>
    public bool AppArmor { get; init; }

    /// <summary>SELinux is on: processes, and file systems, can be given a label.</summary>
    public bool Selinux { get; init; }

    /// <summary>The version of the kernel's Landlock; 0: it has none.</summary>
    public int Landlock { get; init; }

    /// <summary>Home directory of the process's user by the container's /etc/passwd; null if it has none.</summary>
    public string? Home { get; init; }

    /// <summary>Standard streams that the process's user does not own, but for the null device, which is everybody's.</summary>
    public IReadOnlyList<int> ForeignStreams { get; init; } = [];

    /// <summary>The cgroup hierarchies of a hybrid or v1 host; null: the unified one is all there is.</summary>
    public IReadOnlyList<CgroupHierarchy>? Hierarchies { get; init; }

    /// <summary>What the caller may do here.</summary>
    public HostRights Rights { get; init; } = HostRights.All;
}

/// <summary>What the command line adds to a spec.</summary>
public sealed class CompileOptions
{
    /// <summary>The container's id.</summary>
    public required string Id { get; init; }

    /// <summary>The bundle's absolute path.</summary>
    public required string Bundle { get; init; }

    /// <summary>--no-pivot: the root is only moved and entered.</summary>
    public bool NoPivot { get; init; }

    /// <summary>--no-new-keyring.</summary>
    public bool NoNewKeyring { get; init; }

    /// <summary>Descriptors from 3 on that the program keeps (LISTEN_FDS, --preserve-fds).</summary>
    public int PreservedDescriptors { get; init; }

    /// <summary>So many of them, the first, are listening sockets of the caller's socket activation (sd_listen_fds(3)).</summary>
    public int ListeningDescriptors { get; init; }

    /// <summary>The caller has no right to a cgroup, and the spec does not name one, or he wants none: the spec must not ask anything of one either.</summary>
    public bool WithoutCgroup { get; init; }

    /// <summary>He wants none.</summary>
    public bool CgroupsDisabled { get; init; }

    /// <summary>Show the runtime each new file system before it is mounted: it keeps account of them.</summary>
    public bool HoldFileSystems { get; init; }

    /// <summary>Their names, as LISTEN_FDNAMES has them; null: none.</summary>
    public string? ListeningNames { get; init; }

    /// <summary>What linux.seccomp compiles to, where that is known; null: it is compiled.</summary>
    public SeccompFilter? Filter { get; init; }

    /// <summary>Wait for <c>start</c> before executing the program.</summary>
    public bool AwaitStart { get; init; }
}
