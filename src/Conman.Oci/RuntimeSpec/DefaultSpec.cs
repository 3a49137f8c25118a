// The document that `spec` writes: a shell in a container with the namespaces, mounts and masks that every manager starts from.

namespace Conman.Oci.RuntimeSpec;

public sealed partial class Spec
{
    /// <summary>What <c>runc spec</c> prints.</summary>
    public static Spec Default() => new()
    {
        OciVersion = "1.3.0",
        Process = new Process
        {
            Terminal = true,
            User = new User(),
            Args = ["sh"],
            Env = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            Cwd = "/",
            Capabilities = new Capabilities { Bounding = DefaultCapabilities(), Effective = DefaultCapabilities(), Permitted = DefaultCapabilities() },
            Rlimits = [new Rlimit { Type = "RLIMIT_NOFILE", Hard = 1024, Soft = 1024 }],
            NoNewPrivileges = true,
        },
        Root = new Root { Path = "rootfs", Readonly = true },
        Hostname = "conman",
        Mounts =
        [
            new Mount { Destination = "/proc", Type = "proc", Source = "proc" },
            new Mount { Destination = "/dev", Type = "tmpfs", Source = "tmpfs", Options = ["nosuid", "strictatime", "mode=755", "size=65536k"] },
            new Mount { Destination = "/dev/pts", Type = "devpts", Source = "devpts", Options = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] },
            new Mount { Destination = "/dev/shm", Type = "tmpfs", Source = "shm", Options = ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"] },
            new Mount { Destination = "/dev/mqueue", Type = "mqueue", Source = "mqueue", Options = ["nosuid", "noexec", "nodev"] },
            new Mount { Destination = "/sys", Type = "sysfs", Source = "sysfs", Options = ["nosuid", "noexec", "nodev", "ro"] },
            new Mount { Destination = "/sys/fs/cgroup", Type = "cgroup", Source = "cgroup", Options = ["nosuid", "noexec", "nodev", "relatime", "ro"] },
        ],
        Linux = new Linux
        {
            Resources = new Resources { Devices = [new DeviceCgroup { Allow = false, Access = "rwm" }] },
            Namespaces =
            [
                new Namespace { Type = "pid" }, new Namespace { Type = "network" }, new Namespace { Type = "ipc" }, new Namespace { Type = "uts" },
                new Namespace { Type = "mount" }, new Namespace { Type = "cgroup" },
            ],
            MaskedPaths =
            [
                "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
                "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
            ],
            ReadonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    };

    /// <summary>What <c>runc spec --rootless</c> prints: root inside is the calling user outside.</summary>
    /// <param name="uid">The calling user.</param>
    /// <param name="gid">The calling user's group.</param>
    public static Spec DefaultRootless(uint uid, uint gid)
    {
        var spec = Default();
        spec.Linux!.Namespaces!.RemoveAll(n => n.Type == "network");
        spec.Linux.Namespaces.Add(new Namespace { Type = "user" });
        spec.Linux.UidMappings = [new IdMapping { ContainerID = 0, HostID = uid, Size = 1 }];
        spec.Linux.GidMappings = [new IdMapping { ContainerID = 0, HostID = gid, Size = 1 }];
        spec.Linux.Resources = null;
        // A user namespace without a network namespace of its own may not mount sysfs, and maps no group 5.
        spec.Mounts!.RemoveAll(m => m.Destination is "/sys" or "/sys/fs/cgroup");
        spec.Mounts.Find(m => m.Destination == "/dev/pts")!.Options!.Remove("gid=5");
        spec.Mounts.Add(new Mount { Destination = "/sys", Type = "none", Source = "/sys", Options = ["rbind", "nosuid", "noexec", "nodev", "ro"] });
        spec.Mounts.Add(new Mount { Destination = "/sys/fs/cgroup", Type = "cgroup", Source = "cgroup", Options = ["nosuid", "noexec", "nodev", "relatime", "ro"] });
        return spec;
    }

    private static List<string> DefaultCapabilities() => ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
}
