// Each rule that a spec can break, and the sentence that says so.

using Conman.Oci.RuntimeSpec;

namespace Conman.Runtime.Tests.Compiling;

public class SpecValidatorTests
{
    private static readonly Dictionary<string, Action<Spec>> Rules = new()
    {
        ["ociVersion: unsupported version 2.0.0: conman reads 1.x"] = s => s.OciVersion = "2.0.0",
        ["ociVersion: unsupported version \"\": conman reads 1.x"] = s => s.OciVersion = null,
        ["root.path: the root file system must be given"] = s => s.Root = null,
        ["root.path: a NUL character in \"a\\\\0b\""] = s => s.Root!.Path = "a\0b",
        ["process: must be given"] = s => s.Process = null,
        ["linux: must be given"] = s => s.Linux = null,
        ["process.args: args must not be empty"] = s => s.Process!.Args = [],
        ["process.cwd: Cwd must be an absolute path, not work"] = s => s.Process!.Cwd = "work",
        ["process.cwd: Cwd must be an absolute path, not \"\""] = s => s.Process!.Cwd = null,
        ["process.cwd: a NUL character in \"/a\\\\0\""] = s => s.Process!.Cwd = "/a\0",
        ["process.args: a NUL character in \"a\\\\0b\""] = s => s.Process!.Args = ["x", "a\0b"],
        ["process.env: a NUL character in \"A=\\\\0\""] = s => s.Process!.Env = ["A=\0"],
        ["process.user: 4294967295 is no user or group id"] = s => s.Process!.User!.Gid = uint.MaxValue,
        ["process.rlimits: RLIMIT_CORE is given twice"] = s => s.Process!.Rlimits = [new Rlimit { Type = "RLIMIT_CORE" }, new Rlimit { Type = "RLIMIT_CORE" }],
        ["process.rlimits: RLIMIT_CORE: the soft limit 2 is above the hard one, 1"] = s => s.Process!.Rlimits = [new Rlimit { Type = "RLIMIT_CORE", Soft = 2, Hard = 1 }],
        ["process.rlimits: unknown limit RLIMIT_LUCK"] = s => s.Process!.Rlimits = [new Rlimit { Type = "RLIMIT_LUCK" }],
        ["process.scheduler.policy: unknown name \"\""] = s => s.Process!.Scheduler = new Scheduler(),
        ["process.ioPriority.class: unknown name \"\""] = s => s.Process!.IoPriority = new IoPriority(),
        ["process.apparmorProfile: apparmor: config provided but apparmor not supported"] = s => s.Process!.ApparmorProfile = "x",
        ["process.selinuxLabel: selinux label is specified in config, but selinux is disabled or not supported"] = s => s.Process!.SelinuxLabel = "x",
        ["linux.namespaces[6].type: unknown namespace disk"] = s => s.Linux!.Namespaces!.Add(new Namespace { Type = "disk" }),
        ["linux.namespaces[6].type: unknown namespace \"\""] = s => s.Linux!.Namespaces!.Add(new Namespace()),
        ["linux.namespaces[6]: pid is given twice"] = s => s.Linux!.Namespaces!.Add(new Namespace { Type = "pid" }),
        ["linux.namespaces[0].path: ns/pid is not absolute"] = s => s.Linux!.Namespaces![0].Path = "ns/pid",
        ["linux.namespaces: a NUL character in \"/a\\\\0\""] = s => s.Linux!.Namespaces![0].Path = "/a\0",
        ["linux.namespaces: a mount namespace is required"] = s => s.Linux!.Namespaces!.RemoveAll(n => n.Type == "mount"),
        ["unable to set hostname without a private UTS namespace"] = s => s.Linux!.Namespaces!.RemoveAll(n => n.Type == "uts"),
        ["unable to set domainname without a private UTS namespace"] = s => (s.Hostname, s.Domainname, _) = ("", "x", s.Linux!.Namespaces!.RemoveAll(n => n.Type == "uts")),
        ["linux.uidMappings: User namespace mappings specified, but USER namespace isn't enabled in the config"] = s => s.Linux!.UidMappings = [new IdMapping { Size = 1 }],
        ["linux.uidMappings: User namespaces enabled, but no uid mappings found"] = s => s.Linux!.Namespaces!.Add(new Namespace { Type = "user" }),
        ["linux.gidMappings: User namespaces enabled, but no gid mappings found"] = s => (s.Linux!.UidMappings, s.Linux.Namespaces) = ([new IdMapping { Size = 1 }], [.. s.Linux.Namespaces!, new Namespace { Type = "user" }]),
        ["linux.timeOffsets: time namespace enabled, but both namespace path and time offsets specified -- you may only provide one"] = s =>
            (s.Linux!.TimeOffsets, s.Linux.Namespaces) = (new() { ["monotonic"] = new TimeOffset() }, [.. s.Linux.Namespaces!, new Namespace { Type = "time", Path = "/proc/1/ns/time" }]),
        ["linux.timeOffsets: time namespace offsets specified, but time namespace isn't enabled in the config"] = s => s.Linux!.TimeOffsets = new() { ["monotonic"] = new TimeOffset() },
        ["process.scheduler: scheduler.priority can only be specified for SchedFIFO or SchedRR policy"] = s => s.Process!.Scheduler = new Scheduler { Policy = "SCHED_OTHER", Priority = 1 },
        ["process.scheduler: scheduler runtime/deadline/period can only be specified for SchedDeadline policy"] = s => s.Process!.Scheduler = new Scheduler { Policy = "SCHED_BATCH", Runtime = 1 },
        ["process.scheduler: invalid scheduler.nice: 20 when scheduler.policy is SCHED_OTHER"] = s => s.Process!.Scheduler = new Scheduler { Policy = "SCHED_OTHER", Nice = 20 },
        ["process.ioPriority: invalid ioPriority.Priority: 8"] = s => s.Process!.IoPriority = new IoPriority { Class = "IOPRIO_CLASS_BE", Priority = 8 },
        ["invalid CPU list in process.execCPUAffinity.final 0-: 0- is no number from 0 to 8191, and no range of them"] = s => s.Process!.ExecCPUAffinity = new ExecCpuAffinity { Final = "0-" },
        ["invalid CPU list in process.execCPUAffinity.initial 9999999999: 9999999999 is no number from 0 to 8191, and no range of them"] = s => s.Process!.ExecCPUAffinity = new ExecCpuAffinity { Initial = "9999999999" },
        ["linux.memoryPolicy: invalid memory policy mode \"\""] = s => s.Linux!.MemoryPolicy = new MemoryPolicy { Nodes = "0" },
        ["linux.memoryPolicy: invalid memory policy flag MPOL_F_X"] = s => s.Linux!.MemoryPolicy = new MemoryPolicy { Mode = "MPOL_BIND", Nodes = "0", Flags = ["MPOL_F_X"] },
        ["linux.memoryPolicy: memory policy mode requires 0 nodes but got 8"] = s => s.Linux!.MemoryPolicy = new MemoryPolicy { Mode = "MPOL_DEFAULT", Nodes = "0-7" },
        ["linux.memoryPolicy: memory policy mode requires at least one node but got 0"] = s => s.Linux!.MemoryPolicy = new MemoryPolicy { Mode = "MPOL_INTERLEAVE" },
        ["invalid memory policy nodes 0-9876543210: 0-9876543210 is no number from 0 to 8191, and no range of them"] = s => s.Linux!.MemoryPolicy = new MemoryPolicy { Mode = "MPOL_BIND", Nodes = "0-9876543210" },
        ["linux.netDevices: unable to move network devices without a NET namespace"] = s => (s.Linux!.NetDevices, _) = (new() { ["eth1"] = new NetDevice() }, s.Linux.Namespaces!.RemoveAll(n => n.Type == "network")),
        ["linux.netDevices: invalid network device name a/b"] = s => s.Linux!.NetDevices = new() { ["a/b"] = new NetDevice() },
        ["linux.netDevices: invalid network device name a-name-far-too-long"] = s => s.Linux!.NetDevices = new() { ["eth1"] = new NetDevice { Name = "a-name-far-too-long" } },
        ["linux.intelRdt: invalid intelRdt.ClosID ../x"] = s => s.Linux!.IntelRdt = new IntelRdt { ClosID = "../x" },
        ["linux.seccomp: seccomp listenerPath is not set, but SCMP_ACT_NOTIFY needs it"] = s => s.Linux!.Seccomp = new Conman.Oci.RuntimeSpec.Seccomp { DefaultAction = "SCMP_ACT_ALLOW", Syscalls = [new SeccompSyscall { Action = "SCMP_ACT_NOTIFY", Names = ["mkdir"] }] },
        ["linux.seccomp.listenerMetadata: must not be set without listenerPath"] = s => s.Linux!.Seccomp = new Conman.Oci.RuntimeSpec.Seccomp { DefaultAction = "SCMP_ACT_ALLOW", ListenerMetadata = "x" },
        ["org.conman.landlock.raed: there is no such annotation"] = s => s.Annotations = new() { ["org.conman.landlock.raed"] = "/" },
        ["org.conman.landlock.read: usr is not an absolute path"] = s => s.Annotations = new() { ["org.conman.landlock.read"] = "/bin:usr" },
        ["org.conman.landlock.tcp-connect: 65536 is no TCP port"] = s => s.Annotations = new() { ["org.conman.landlock.tcp-connect"] = "80,65536" },
        ["org.conman.landlock.scope: there is no scope everything"] = s => s.Annotations = new() { ["org.conman.landlock.scope"] = "everything" },
        ["org.conman.landlock.best-effort: perhaps is neither true nor false"] = s => s.Annotations = new() { ["org.conman.landlock.best-effort"] = "perhaps" },
        ["org.conman.landlock.*: this kernel has no Landlock, or it is off (org.conman.landlock.best-effort=true does without)"] = s => s.Annotations = new() { ["org.conman.landlock.read"] = "/" },
        ["linux.rootfsPropagation: unknown value sideways"] = s => s.Linux!.RootfsPropagation = "sideways",
        ["sysctl \"kernel.hostname\" is not allowed as it conflicts with the OCI \"hostname\" field"] = s => s.Linux!.Sysctl = new() { ["kernel.hostname"] = "x" },
        ["sysctl \"kernel/domainname\" is not allowed as it conflicts with the OCI \"domainname\" field"] = s => (s.Domainname, s.Linux!.Sysctl) = ("y", new() { ["kernel/domainname"] = "x" }),
        ["linux.sysctl: net..x is no name of a sysctl"] = s => s.Linux!.Sysctl = new() { ["net..x"] = "x" },
        ["linux.sysctl: net/../kernel/core_pattern is no name of a sysctl"] = s => s.Linux!.Sysctl = new() { ["net/../kernel/core_pattern"] = "x" },
        ["linux.sysctl: /net/core is no name of a sysctl"] = s => s.Linux!.Sysctl = new() { ["/net/core"] = "x" },
        ["linux.sysctl: a NUL character in \"net.x\\\\0\""] = s => s.Linux!.Sysctl = new() { ["net.x"] = "\0" },
        ["sysctl kernel.core_pattern is not in a separate kernel namespace"] = s => s.Linux!.Sysctl = new() { ["kernel.core_pattern"] = "|/x" },
        ["sysctl vm.swappiness is not in a separate kernel namespace"] = s => s.Linux!.Sysctl = new() { ["vm.swappiness"] = "0" },
        ["sysctl net.core.somaxconn is not allowed in the hosts network namespace"] = s => (s.Linux!.Sysctl, _) = (new() { ["net.core.somaxconn"] = "1" }, s.Linux.Namespaces!.RemoveAll(n => n.Type == "network")),
        ["sysctl kernel.shmmax is not allowed in the hosts ipc namespace"] = s => (s.Linux!.Sysctl, _) = (new() { ["kernel.shmmax"] = "1" }, s.Linux.Namespaces!.RemoveAll(n => n.Type == "ipc")),
        ["sysctl fs.mqueue.msg_max is not allowed in the hosts ipc namespace"] = s => (s.Linux!.Sysctl, _) = (new() { ["fs.mqueue.msg_max"] = "1" }, s.Linux.Namespaces!.RemoveAll(n => n.Type == "ipc")),
        ["mounts[7].destination: must be given"] = s => s.Mounts!.Add(new Mount()),
        ["mounts[7].destination: a NUL character in \"/a\\\\0/etc\""] = s => s.Mounts!.Add(new Mount { Destination = "/a\0/etc", Type = "tmpfs" }),
        ["mounts[7].source: a NUL character in \"/etc\\\\0\""] = s => s.Mounts!.Add(new Mount { Destination = "/a", Source = "/etc\0", Type = "bind" }),
        ["mounts[7].options: a NUL character in \"a\\\\0\""] = s => s.Mounts!.Add(new Mount { Destination = "/a", Type = "tmpfs", Options = ["a\0"] }),
        ["mounts[7].source: a bind mount needs a source"] = s => s.Mounts!.Add(new Mount { Destination = "/a", Options = ["bind"] }),
        ["mounts[7].type: must be given for /a"] = s => s.Mounts!.Add(new Mount { Destination = "/a", Source = "/b" }),
        ["mounts[7]: id-mapped mounts must have both uid and gid mappings specified"] = s => s.Mounts!.Add(new Mount { Destination = "/a", Type = "bind", Source = "/b", UidMappings = [new IdMapping()] }),
        ["mounts[7]: id-mapped mounts are only supported for bind-mounts"] = s => s.Mounts!.Add(new Mount { Destination = "/a", Type = "tmpfs", Options = ["idmap"] }),
        ["mounts[7]: maps are given twice, as members and as an option"] = s => s.Mounts!.Add(new Mount { Destination = "/a", Source = "/b", Options = ["bind", "idmap=uids=0-0-1;gids=0-0-1"], UidMappings = [new IdMapping()] }),
        ["mounts[7].options: tmpcopyup can be used only with tmpfs"] = s => s.Mounts!.Add(new Mount { Destination = "/a", Type = "ramfs", Options = ["tmpcopyup"] }),
        ["mounts[7].options: src-nofollow can be used only with bind mounts"] = s => s.Mounts!.Add(new Mount { Destination = "/a", Type = "tmpfs", Options = ["src-nofollow"] }),
        ["mounts[7].options: copy-symlink is mutually exclusive with src-nofollow and dest-nofollow"] = s => s.Mounts!.Add(new Mount { Destination = "/a", Source = "/b", Options = ["bind", "copy-symlink", "src-nofollow"] }),
        ["cannot mount /srv on /proc/sys: \"/proc/sys\" cannot be mounted because it is inside /proc"] = s => s.Mounts!.Add(new Mount { Destination = "/proc/sys", Type = "bind", Source = "/srv" }),
        ["cannot mount proc on /proc/fs: \"/proc/fs\" cannot be mounted because it is inside /proc"] = s => s.Mounts!.Add(new Mount { Destination = "/proc/fs", Type = "proc" }),
        ["cannot mount tmpfs on /proc: \"/proc\" cannot be mounted because it is not of type proc"] = s => s.Mounts!.Add(new Mount { Destination = "/proc", Type = "tmpfs", Source = "tmpfs" }),
        ["linux.mountLabel: SELinux is not enabled on this host"] = s => s.Linux!.MountLabel = "a:b:c:d",
        ["annotations: unknown name org.conman.rootfs.layer"] = s => s.Annotations = new() { ["org.conman.rootfs.layer"] = "x" },
        ["annotations: org.conman.rootfs.overlay: up is neither tmpfs nor an absolute path"] = s => s.Annotations = new() { ["org.conman.rootfs.overlay"] = "up" },
        ["annotations: org.conman.rootfs.overlay.size without org.conman.rootfs.overlay"] = s => s.Annotations = new() { ["org.conman.rootfs.overlay.size"] = "1m" },
        ["annotations: org.conman.rootfs.overlay.size is for a tmpfs, not for /srv"] = s => s.Annotations = new() { ["org.conman.rootfs.overlay"] = "/srv", ["org.conman.rootfs.overlay.size"] = "1m" },
        ["linux.devices[0].type: unknown type x"] = s => s.Linux!.Devices = [new Device { Type = "x", Path = "/dev/x" }],
        ["linux.devices[0].path: dev/x is not absolute"] = s => s.Linux!.Devices = [new Device { Type = "c", Path = "dev/x" }],
        ["linux.devices[0]: 4294967297:3 is no device number"] = s => s.Linux!.Devices = [new Device { Type = "c", Path = "/dev/x", Major = (1L << 32) + 1, Minor = 3 }],
        ["linux.devices[0]: 1:-3 is no device number"] = s => s.Linux!.Devices = [new Device { Type = "b", Path = "/dev/x", Major = 1, Minor = -3 }],
    };

    public static TheoryData<string> Sentences => [.. Rules.Keys];

    [Theory, MemberData(nameof(Sentences))]
    public void A_broken_rule_is_a_sentence_that_names_the_member(string sentence) => Assert.Equal(sentence, Samples.Refusal(Samples.Spec(Rules[sentence])));

    [Fact]
    public void What_the_rules_allow_compiles()
    {
        Samples.Compile(Samples.Spec(s => s.OciVersion = "1.0.2-dev"));
        Samples.Compile(Samples.Spec(s => s.Linux!.Devices = [new Device { Type = "p", Path = "/dev/p", Major = -1, Minor = -1 }, new Device { Type = "u", Path = "/dev/u", Major = 4095, Minor = 0xfffff }]));
        Samples.Compile(Samples.Spec(s => s.Process!.ConsoleSize = new Box { Height = 1 })); // ignored without a terminal
        Samples.Compile(Samples.Spec(s => s.Mounts!.Add(new Mount { Destination = "relative", Type = "tmpfs" })));
        Samples.Compile(Samples.Spec(s => s.Mounts!.Add(new Mount { Destination = "/proc/meminfo", Type = "bind", Source = "/var/lib/lxcfs/meminfo" })));
        Samples.Compile(Samples.Spec(s => (s.Mounts, s.Hooks, s.Annotations, s.Linux!.Resources) = (null, null, null, null)));
    }

    [Fact]
    public void The_smallest_spec_that_can_run_compiles() => Samples.Compile(Samples.Parse(
        """{"ociVersion": "1.0.0", "root": {"path": "/"}, "process": {"args": ["a"], "cwd": "/"}, "linux": {"namespaces": [{"type": "mount"}]}}"""));
}
